"""When clients have left, the server is as it was before they came."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest

from tests.controlpanel.server.conftest import Connect, Server
from tests.controlpanel.server.test_shutdown import websocket
from tests.controlpanel.streams.service import eventually

CLIENTS = 500
UPLOAD = b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nhalf"
BODY = b"POST /plain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf"
HIJACK = b"POST /hijack HTTP/1.1\r\nHost: x\r\n\r\n"
AHEAD = b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n" + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 5000

Open = Callable[[Server, Connect], socket.socket]


def sends(data: bytes, *, reads: bool = True) -> Open:
    def connected(server: Server, connect: Connect) -> socket.socket:
        sock = connect()
        sock.sendall(data)
        if reads:
            assert sock.recv(1000)
        return sock

    return connected


KINDS: dict[str, Open] = {
    "streams": sends(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n"),
    "floods": sends(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n"),
    "kept": sends(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "bodies": sends(BODY, reads=False),
    "hijacked": sends(HIJACK),
    "heads": sends(b"GET / HTTP/1.1\r\nX: ", reads=False),
    "websockets": lambda server, connect: websocket(connect),
}


@pytest.mark.parametrize("kind", KINDS)
def test_all_is_free_again(server: Server, connect: Connect, kind: str) -> None:
    """Three times, so that what only grows is told from what is kept for the next time."""
    clients = {"streams": CLIENTS, "floods": 5}.get(kind, 30)
    _come_and_go(server, connect, kind, clients)
    before, objects = _settled(server), server.objects()
    for _ in range(3):
        _come_and_go(server, connect, kind, clients)
        eventually(lambda: _fits(server.counts(), before), f"{before}")
    assert server.objects() <= objects


def test_clients_that_leave_while_nothing_of_theirs_is_read(server: Server) -> None:
    """They have sent more ahead than the server reads while it answers the first request."""
    before = _settled(server)
    with ExitStack() as stack:
        for _ in range(30):
            sock = stack.enter_context(server.unix())
            sock.setblocking(False)
            sock.send(AHEAD)
        eventually(lambda: server.counts()["connections"] > 30)
    eventually(lambda: _fits(server.counts(), before), f"{before}")


def test_clients_that_leave_while_their_bodies_are_held_up(server: Server) -> None:
    """The application does not take what they send."""
    before = _settled(server)
    head = b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(30):
            sock = stack.enter_context(server.unix())
            sock.settimeout(0.1)
            with suppress(TimeoutError):
                sock.sendall(head + bytes(5_000_000))
        eventually(lambda: server.counts()["connections"] > 30)
    eventually(lambda: _fits(server.counts(), before), f"{before}")


def test_a_client_that_asks_much_ahead_during_a_stream_has_not_left(server: Server, connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = sock.recv(1000)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        while answer.count(b"HTTP/1.1 200") < 2:
            data = sock.recv(65536)
            assert data
            answer += data
    assert answer.count(b"piece") == 5


def test_a_waiting_request_ends_with_its_client(server: Server) -> None:
    before = _settled(server)
    with ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(server.get("/wait"))
        eventually(lambda: server.counts()["tasks"] >= before["tasks"] + 30)
    eventually(lambda: _fits(server.counts(), before), f"{before}")


def _come_and_go(server: Server, connect: Connect, kind: str, clients: int) -> None:
    with ExitStack() as stack:
        for _ in range(clients):
            stack.enter_context(KINDS[kind](server, connect))


def _fits(counts: dict[str, int], before: dict[str, int]) -> bool:
    return all(counts[name] <= before[name] for name in before)


def _settled(server: Server) -> dict[str, int]:
    """The counts, once clients of earlier tests are gone."""
    eventually(lambda: server.counts()["connections"] == 1, "the leaving of earlier clients")
    counts = server.counts()
    eventually(lambda: server.counts()["tasks"] <= 1, f"the end of the tasks in {counts}")
    return server.counts()
