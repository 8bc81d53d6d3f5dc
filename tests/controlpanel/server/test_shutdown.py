"""SIGTERM ends the process within ten seconds, whatever clients and views do."""

from __future__ import annotations

import base64
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from controlpanel.server.limits import Limits
from tests.controlpanel.server.conftest import Connect, Server, read_all, started
from tests.controlpanel.streams.service import eventually

SECONDS = 10.0


@pytest.fixture
def mortal(nothing_left_behind: None) -> Iterator[Server]:
    """A server that the test ends, less patient than by itself."""
    with started(
        grace_seconds=2.0, end_seconds=0.5, flush_seconds=0.5, threads_seconds=0.5, deadline_seconds=5.0
    ) as server:
        yield server


@pytest.fixture(params=["unix", "tcp"])
def connect(mortal: Server, request: pytest.FixtureRequest) -> Connect:
    chosen: Connect = getattr(mortal, request.param)
    return chosen


def terminate(server: Server) -> float:
    """End it, and return how long that took. A server that goes on after the time limit is a failure."""
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(SECONDS) == 0
    return time.monotonic() - began


@pytest.fixture
def patient(nothing_left_behind: None) -> Iterator[Server]:
    """The same with the limits that it has by itself."""
    with started() as server:
        yield server


def test_the_worst_fits_into_the_time() -> None:
    limits = Limits()
    steps = limits.grace_seconds + limits.end_seconds + limits.flush_seconds + limits.threads_seconds
    assert max(steps, limits.deadline_seconds) < SECONDS


def test_idle_and_waiting_clients(patient: Server) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(patient.unix()) for _ in range(100)]
        waiting = [stack.enter_context(patient.get("/endless")) for _ in range(2000)]
        for sock in waiting:
            assert sock.recv(1000)
        terminate(patient)
        for sock in idle:
            with suppress(ConnectionResetError):
                assert sock.recv(1000) == b""
        for sock in waiting:
            with suppress(ConnectionResetError):
                assert not sock.recv(1000).endswith(b"0\r\n\r\n"), "a stream that was cut looks like one that ended"


def test_a_request_without_an_answer_is_told(mortal: Server, connect: Connect) -> None:
    with mortal.get("/wait", connect) as sock:
        eventually(lambda: mortal.counts()["tasks"] > 1)
        mortal.process.send_signal(signal.SIGTERM)
        assert read_all(sock).startswith(b"HTTP/1.1 503 ")
        assert mortal.process.wait(SECONDS) == 0


def test_a_request_that_is_nearly_done_is_answered(mortal: Server) -> None:
    with mortal.get("/soon") as sock:
        eventually(lambda: mortal.counts()["tasks"] > 1)
        mortal.process.send_signal(signal.SIGTERM)
        answer = read_all(sock)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nConnection: close\r\n" in answer


def test_a_client_that_never_reads(mortal: Server, connect: Connect) -> None:
    with mortal.get("/flood", connect):
        eventually(lambda: (mortal.layout.run / "flood").exists())
        terminate(mortal)


def test_uploads_half_way(mortal: Server) -> None:
    with mortal.unix() as sock:
        sock.sendall(b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
        assert mortal.noted("opened")
        terminate(mortal)
        assert mortal.noted("upload") == "ConnectionResetError"


def test_bodies_half_way(mortal: Server) -> None:
    with mortal.unix() as sock:
        sock.sendall(b"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
        eventually(lambda: mortal.counts()["connections"] == 2)
        terminate(mortal)


def test_hijacked_connections(mortal: Server) -> None:
    with mortal.unix() as sock:
        sock.sendall(b"POST /hijack HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 101 ")
        terminate(mortal)
        assert sock.recv(1000) == b""


def test_websockets(mortal: Server) -> None:
    with websocket(mortal.unix) as sock:
        terminate(mortal)
        # A frame that says goodbye: RFC 6455 sections 5.5.1 and 7.4.1.
        assert sock.recv(1000) == b"\x88\x02" + (1001).to_bytes(2, "big")


@pytest.mark.parametrize("path", ["/thread", "/stubborn", "/block"])
def test_views_that_do_not_end(mortal: Server, path: str) -> None:
    """A thread at work, a coroutine that ignores being cancelled, a loop that does not come round."""
    with mortal.get(path):
        eventually(_busy(mortal, path))
        terminate(mortal)


def _busy(server: Server, path: str) -> Callable[[], bool]:
    if path != "/block":
        return lambda: server.counts()["tasks"] > 1
    return lambda: not _answers(server)


def _answers(server: Server) -> bool:
    with server.get("/") as sock:
        sock.settimeout(0.5)
        try:
            return bool(sock.recv(1000))
        except TimeoutError:
            return False


def test_no_new_connections_once_it_stops(mortal: Server) -> None:
    with mortal.get("/stubborn"):
        eventually(lambda: mortal.counts()["tasks"] > 1)
        mortal.process.send_signal(signal.SIGTERM)
        eventually(lambda: not _connects(mortal))
        assert mortal.process.wait(SECONDS) == 0


def _connects(server: Server) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(server.layout.docker_socket)) == 0


def websocket(connect: Connect) -> socket.socket:
    """A WebSocket that has been accepted and has echoed."""
    key = base64.b64encode(os.urandom(16))
    sock = connect()
    sock.sendall(
        b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % key
    )
    assert sock.recv(1000).startswith(b"HTTP/1.1 101 ")
    # A masked text frame, with a mask of zeros.
    sock.sendall(b"\x81\x82\0\0\0\0hi")
    assert sock.recv(1000) == b"\x81\x02hi"
    return sock
