"""HTTP as Docker's clients speak it, at its edges."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests.controlpanel.server.conftest import Connect, Server, read_all
from tests.controlpanel.streams.service import eventually

GET = b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n"


def test_an_answer_of_known_length_is_not_chunked(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(GET)
        head, _, body = sock.recv(1000).partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert b"Transfer-Encoding" not in head


def test_connections_are_kept_and_requests_may_be_pipelined(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(GET * 20)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock).count(b"HTTP/1.1 200 OK\r\n") == 20


def test_a_half_closed_connection_gets_its_whole_stream(server: Server) -> None:
    with server.unix() as sock:
        sock.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        answer = read_all(sock)
    assert answer.count(b"piece") == 5
    assert answer.endswith(b"0\r\n\r\n")


def test_the_peer_is_known_on_the_unix_socket_only(server: Server) -> None:
    with server.unix() as sock:
        sock.sendall(GET)
        assert b"Peer(pid=%d, uid=%d, gid=%d)" % (os.getpid(), os.getuid(), os.getgid()) in sock.recv(1000)
    with server.tcp() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nmuelle.peer: 1\r\nX-Muelle-Peer: 1\r\n\r\n")
        assert sock.recv(1000).endswith(b"None")


def test_the_socket_is_closed_to_others(server: Server) -> None:
    assert stat.S_IMODE(server.layout.docker_socket.stat().st_mode) == 0o660


def test_a_stream_that_fails_is_cut_and_not_ended(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(b"GET /fail HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := sock.recv(1000):
                answer += chunk
    assert not answer.endswith(b"0\r\n\r\n")


def test_an_error_before_the_head_is_a_500(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(b"GET /early HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 500 ")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 1_500_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(600)) + b"\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
    ],
)
def test_heads_that_are_none(server: Server, request_: bytes, status: bytes) -> None:
    with server.unix() as sock:
        with contextlib.suppress(BrokenPipeError):  # the server may have seen enough
            sock.sendall(request_)
        assert sock.recv(100).startswith(b"HTTP/1.1 " + status)


def test_long_but_sensible_heads_are_served(server: Server) -> None:
    with server.unix() as sock:
        sock.sendall(
            b"GET /?filters=" + b"a" * 100_000 + b" HTTP/1.1\r\nX-Registry-Config: " + b"b" * 100_000 + b"\r\n\r\n"
        )
        assert sock.recv(100).startswith(b"HTTP/1.1 200 ")


def test_curl_is_content(server: Server) -> None:
    curl = shutil.which("curl")
    assert curl
    command = [curl, "-sS", "--unix-socket", str(server.layout.docker_socket), "http://docker/a", "http://docker/b"]
    output = subprocess.run(command, capture_output=True, check=True).stdout
    assert output.count(b"Peer(") == 2


def test_an_application_waits_for_a_client_that_does_not_read(server: Server) -> None:
    note = server.layout.run / "flood"
    with server.unix() as sock:
        sock.sendall(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        before = eventually(lambda: note.exists() and note.read_text())
        # It stops when the buffers are full, of which none is larger than some megabytes.
        while (now := note.read_text()) != before:
            before = now
            time.sleep(0.2)
        assert int(now) * 65536 < 16 * 1024 * 1024
    note.unlink()


def test_a_server_that_does_nothing_sleeps(server: Server) -> None:
    with server.unix(), server.tcp():
        # A tick of the clock is charged to whoever runs at that moment, and a page fault or a
        # late timer can wake anybody once: a server that polls does so in every second.
        eventually(lambda: _sleeps_for_a_second(server))


def _sleeps_for_a_second(server: Server) -> bool:
    ticks, switches = _ticks(server), _switches(server)
    time.sleep(1)
    return _ticks(server) - ticks <= 1 and _switches(server) - switches < 5


def _ticks(server: Server) -> int:
    """User and system time of the process, in hundredths of a second: fields 14 and 15 of proc_pid_stat(5)."""
    return sum(map(int, Path(f"/proc/{server.pid}/stat").read_text().split()[13:15]))


def _switches(server: Server) -> int:
    """How often the process has gone to sleep, and so how often it was woken."""
    text = Path(f"/proc/{server.pid}/status").read_text()
    return int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0])


def test_a_half_sent_request_ends_with_its_half_closed_connection(server: Server) -> None:
    with server.unix() as sock:
        sock.sendall(GET + b"GET / HT")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock).count(b"HTTP/1.1 200 OK\r\n") == 1


@pytest.mark.parametrize("request_", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"hello\r\n"])
def test_what_is_no_http_is_refused_before_it_ends(connect: Connect, request_: bytes) -> None:
    """A client that speaks TLS to a plain port would wait for the server, and the server for an empty line."""
    with connect() as sock:
        sock.sendall(request_)
        assert read_all(sock).startswith(b"HTTP/1.1 400 ")


def test_a_body_that_makes_no_sense_is_refused(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
        assert read_all(sock).startswith(b"HTTP/1.1 400 ")


def test_head_and_http_1_0(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /stream HTTP/1.0\r\n\r\n")
        first, second, stream = read_all(sock).split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 OK")
    assert b"\r\nConnection: close" in second
    assert stream == b"piece" * 5


def test_an_upgrade_that_nobody_takes_up_is_a_request(connect: Connect) -> None:
    """curl --http2 asks for h2c on every connection."""
    with connect() as sock:
        sock.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n") + GET)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock).count(b"HTTP/1.1 200 OK\r\n") == 2
