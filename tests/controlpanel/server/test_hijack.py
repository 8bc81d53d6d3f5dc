"""A connection that is taken out of the server belongs to its taker alone."""

from __future__ import annotations

import asyncio
import io
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from django.core.handlers.asgi import ASGIRequest

from controlpanel.server.responses import HijackResponse
from controlpanel.server.scope import CONNECTION, Detached
from tests.controlpanel.server.conftest import Connect, Server, read_all
from tests.controlpanel.streams.service import eventually

HANDSHAKE = (
    b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
Limit = Callable[[int], None]
HIJACK = b"POST /hijack HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


def test_bytes_after_the_body_are_not_lost(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(HIJACK + b"surplus")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b"HTTP/1.1 101 UPGRADED\r\n\r\nsurplus end"


def test_both_directions_stay_open(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(HIJACK)
        assert sock.recv(1000) == b"HTTP/1.1 101 UPGRADED\r\n\r\n"
        sock.sendall(b"hello")
        assert sock.recv(1000) == b"hello"
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b" end"


def test_answers_to_earlier_requests_come_first(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + HIJACK)
        sock.shutdown(socket.SHUT_WR)
        answer = read_all(sock)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.endswith(b"HTTP/1.1 101 UPGRADED\r\n\r\n end")


@pytest.fixture
def exhausted(server: Server) -> Iterator[Limit]:
    """The server gets no more descriptors."""
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)

    def limit(to: int) -> None:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (to, before[1]))

    yield limit
    limit(before[0])


def test_without_a_descriptor_the_client_is_told(server: Server, connect: Connect, exhausted: Limit) -> None:
    with connect() as sock:
        eventually(lambda: server.counts()["connections"] == 2)
        exhausted(3)
        sock.sendall(HIJACK)
        assert sock.recv(1000).startswith(b"HTTP/1.1 500 ")


def test_without_a_descriptor_a_websocket_takes_no_place(server: Server, connect: Connect, exhausted: Limit) -> None:
    with connect() as sock:
        eventually(lambda: server.counts()["connections"] == 2)
        exhausted(3)
        sock.sendall(HANDSHAKE)
        with suppress(ConnectionResetError):
            assert sock.recv(1000) == b""
        exhausted(1000)
        eventually(lambda: server.counts()["connections"] == 1)


class Gone:
    """A connection whose client has left, or leaves while it is waited for."""

    def __init__(self, error: BaseException | None) -> None:
        self._error = error

    async def detach(self) -> Detached:
        if self._error is not None:
            raise self._error
        never: asyncio.Future[Detached] = asyncio.get_running_loop().create_future()
        return await never


def hijack_response(connection: Gone, heard: list[str]) -> HijackResponse:
    async def take(client: socket.socket, surplus: bytes) -> None:
        heard.append("taken")

    async def lost() -> None:
        heard.append("lost")

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], CONNECTION: connection}
    request = ASGIRequest(scope, io.BytesIO())
    return HijackResponse(request, "text/plain", take, lost)


async def test_whoever_waits_for_a_client_that_has_left_is_told() -> None:
    heard: list[str] = []
    await hijack_response(Gone(ConnectionAbortedError()), heard).take_over()
    assert heard == ["lost"]


async def test_whoever_waits_for_a_client_that_leaves_is_told() -> None:
    heard: list[str] = []
    taking = asyncio.create_task(hijack_response(Gone(None), heard).take_over())
    await asyncio.sleep(0)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert heard == ["lost"]
