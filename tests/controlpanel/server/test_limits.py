"""What clients can take of a server that has not read their request yet."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.controlpanel.server.conftest import Connect, Server, read_all, started
from tests.controlpanel.streams.service import PATIENCE, eventually

PER_CLIENT = 20
CONNECTIONS = 30
PENDING = 256 * 1024
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def small(nothing_left_behind: None) -> Iterator[Server]:
    """Little room and little patience."""
    with started(
        connections=CONNECTIONS,
        per_client=PER_CLIENT,
        pending=PENDING,
        body=200_000,
        refusals=4,
        refusal_seconds=1.0,
        head_seconds=1.0,
        head_seconds_unix=2.0,
        idle_seconds=2.0,
    ) as server:
        yield server
        eventually(lambda: server.counts()["pending"] == 0, "giving back what was read")


@pytest.fixture(params=["unix", "tcp"])
def connect_small(small: Server, request: pytest.FixtureRequest) -> Connect:
    eventually(lambda: small.counts()["connections"] == 1, "the leaving of earlier clients")
    connect: Connect = getattr(small, request.param)
    return connect


@pytest.fixture
def large() -> Iterator[Server]:
    """With the limits that it has by itself, and memory that no other test has touched."""
    with started() as server:
        yield server


def fill(small: Server, connect: Connect, stack: ExitStack) -> None:
    """Take all places of a client with requests that wait."""
    for _ in range(PER_CLIENT):
        assert stack.enter_context(small.get("/endless", connect)).recv(1000)


def test_a_connection_above_a_clients_limit_is_told_to_come_again(small: Server, connect_small: Connect) -> None:
    with ExitStack() as stack:
        fill(small, connect_small, stack)
        with connect_small() as sock:
            sock.sendall(GET)
            answer = read_all(sock)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in answer
        assert answer.endswith(b'\r\n\r\n{"message":"too many connections"}\n')


def test_one_client_leaves_room_for_others(small: Server) -> None:
    eventually(lambda: small.counts()["connections"] == 1, "the leaving of earlier clients")
    with ExitStack() as stack:
        fill(small, small.tcp, stack)
        assert small.counts()["connections"] >= PER_CLIENT


def test_a_place_is_free_again_when_its_client_has_left(small: Server, connect_small: Connect) -> None:
    with ExitStack() as stack:
        fill(small, connect_small, stack)
    for _ in range(3 * PER_CLIENT):
        eventually(lambda: _is_served(connect_small), "a free place")


def test_connections_that_were_hijacked_do_not_count(small: Server, connect_small: Connect) -> None:
    with ExitStack() as stack:
        for _ in range(2 * CONNECTIONS):
            sock = stack.enter_context(connect_small())
            sock.sendall(b"POST /hijack HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.1 101 ")
        assert small.counts()["connections"] == 1


def test_refused_clients_that_say_nothing_are_dropped(small: Server) -> None:
    eventually(lambda: small.counts()["connections"] == 1, "the leaving of earlier clients")
    with ExitStack() as stack:
        fill(small, small.unix, stack)
        silent = [stack.enter_context(small.unix()) for _ in range(10)]
        for sock in silent:
            with suppress(ConnectionResetError):
                assert sock.recv(1000) == b""


def test_a_head_that_comes_too_slowly_is_given_up(connect_small: Connect) -> None:
    """A byte now and then does not help: what counts is when the head is complete."""
    with connect_small() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nX: ")
        began = time.monotonic()
        with suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - began < 20:
                sock.sendall(b"y")
                time.sleep(0.1)
        with suppress(ConnectionResetError):
            assert sock.recv(1000).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 20


def test_a_client_on_the_network_that_says_nothing_is_dropped(small: Server) -> None:
    with small.tcp() as sock:
        assert sock.recv(1000) == b""


def test_a_client_on_the_socket_may_be_silent(small: Server) -> None:
    with small.unix() as sock:
        time.sleep(3)
        sock.sendall(GET)
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_connection_between_two_requests_may_rest_longer(small: Server) -> None:
    with small.tcp() as sock:
        for _ in range(3):
            sock.sendall(GET)
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
            time.sleep(1.3)
        assert sock.recv(1000) == b""


def test_heads_are_bounded_in_all(small: Server) -> None:
    """Each of them is within the limit of one, and all together are not."""
    with ExitStack() as stack:
        socks = [stack.enter_context(small.unix()) for _ in range(PER_CLIENT - 2)]
        for sock in socks:
            sock.sendall(b"GET / HTTP/1.1\r\nX: " + b"y" * 30_000)
        answers = [answer for sock in socks if (answer := read_all(sock))]
        assert any(answer.startswith(b"HTTP/1.1 503 ") for answer in answers)
    with small.get("/") as sock:
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_requests_ahead_of_an_answer_are_bounded_in_all(small: Server) -> None:
    with small.get("/wait") as sock:
        sock.settimeout(1)
        with suppress(TimeoutError, BrokenPipeError):
            for _ in range(100):
                sock.sendall(GET * 1000)
        assert small.counts()["pending"] <= PENDING


@pytest.mark.parametrize("coding", ["Content-Length: 1000001", "Transfer-Encoding: chunked"])
def test_a_body_is_bounded_before_anybody_is_asked(connect_small: Connect, coding: str) -> None:
    """It is read before the application is, and lies in a temporary file."""
    with connect_small() as sock:
        sock.sendall(f"POST /take HTTP/1.1\r\nHost: x\r\n{coding}\r\n\r\n".encode())
        with suppress(OSError):
            for _ in range(100):
                sock.sendall(b"2710\r\n" + bytes(10000) + b"\r\n")
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"more than 200000 bytes" in answer


def test_an_upload_is_not_bounded(connect_small: Connect) -> None:
    with connect_small() as sock:
        sock.sendall(b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + bytes(1000000))
        assert sock.recv(1000).endswith(b"1000000")


def test_a_client_whose_body_is_held_up_is_not_idle(small: Server) -> None:
    with small.tcp() as sock:
        sock.sendall(b"POST /late HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n")
        for _ in range(2):  # the first is taken, the second is not
            sock.sendall(bytes(80000))
            time.sleep(0.2)
        assert sock.recv(1000).endswith(b"late")


def test_answers_that_are_not_read_hold_up_their_requests(large: Server) -> None:
    """A client that pipelines and never reads may not have the answers heaped up."""
    sent = 0
    with large.unix() as sock:
        sock.settimeout(2)
        with suppress(TimeoutError):
            while sent < 64 * 1024 * 1024:
                sent += sock.send(GET * 1000)
        # What fits into the buffers of the socket, of one read, and of answers that wait.
        assert sent < 4 * 1024 * 1024
        sock.settimeout(PATIENCE)
        answers = 0
        while answers < 1000:
            answers += sock.recv(65536).count(b"HTTP/1.1 200 OK")


def test_two_thousand_slow_heads_take_little_memory(large: Server) -> None:
    """Far more than the limit of all heads: 2,000 connections with 400 KiB each would be 800 MB."""
    before = _resident(large)
    with ExitStack() as stack:
        socks = [stack.enter_context(large.unix()) for _ in range(2000)]
        part = b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000
        for sock in socks:
            sock.setblocking(False)
            with suppress(BlockingIOError, BrokenPipeError):
                sock.sendall(part)
        for _ in range(20):
            for sock in socks:
                with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                    sock.send(b"y" * 20_000)
        assert large.counts()["pending"] < 100 * 1024 * 1024
        assert _resident(large) - before < 256 * 1024 * 1024


def _is_served(connect: Connect) -> bool:
    with connect() as sock:
        sock.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return read_all(sock).startswith(b"HTTP/1.1 200 ")


def _resident(server: Server) -> int:
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
