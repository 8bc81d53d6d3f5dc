"""Bodies that go to their reader while they arrive."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.controlpanel.server.conftest import Connect, Server, read_all

HEAD = "POST /{} HTTP/1.1\r\nHost: x\r\n{}\r\n"
MEGABYTE = 1024 * 1024


def test_a_body_of_known_length(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(HEAD.format("images/load", f"Content-Length: {8 * MEGABYTE}\r\n").encode())
        sock.sendall(bytes(8 * MEGABYTE))
        assert sock.recv(1000).endswith(str(8 * MEGABYTE).encode())


def test_a_chunked_body_after_100_continue(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(HEAD.format("images/load", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n").encode())
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        for _ in range(100):
            sock.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
        sock.sendall(b"0\r\n\r\n")
        assert sock.recv(1000).endswith(b"6553600")


def test_an_empty_body(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(HEAD.format("images/load", "Transfer-Encoding: chunked\r\n").encode() + b"0\r\n\r\n")
        assert sock.recv(1000).endswith(b"\r\n\r\n0")


def test_the_reader_is_told_of_a_client_that_breaks_off(server: Server, connect: Connect) -> None:
    for name in ("opened", "upload"):
        server.layout.run.joinpath(name).unlink(missing_ok=True)
    with connect() as sock:
        sock.sendall(HEAD.format("images/load", "Content-Length: 1000\r\n").encode() + b"half")
        assert server.noted("opened")
    assert server.noted("upload") == "ConnectionResetError"


def test_a_refused_body_is_read_so_that_the_answer_is_seen(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(HEAD.format("images/create", f"Content-Length: {4 * MEGABYTE}\r\n").encode())
        sock.sendall(bytes(4 * MEGABYTE))
        assert sock.recv(1000).endswith(b"refused")
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_all(sock).startswith(b"HTTP/1.1 200 OK")


def test_an_endless_refused_body_is_cut_off(connect: Connect) -> None:
    with connect() as sock:
        sock.sendall(HEAD.format("images/create", "Transfer-Encoding: chunked\r\n").encode())
        sent = 0
        try:
            while sent < 64 * MEGABYTE:
                sock.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
                sent += 65536
        except OSError:
            return
    raise AssertionError("the server took it all")


def test_a_slow_reader_slows_the_client_down(server: Server) -> None:
    """Before the view opens the body nothing is read ahead but what one read of the socket brings."""
    with server.unix() as sock:
        sock.sendall(HEAD.format("images/load", f"Content-Length: {MEGABYTE}\r\n").encode() + bytes(MEGABYTE))
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1000).endswith(str(MEGABYTE).encode())
    resident = Path(f"/proc/{server.pid}/statm").read_text().split()[1]
    assert int(resident) * os.sysconf("SC_PAGE_SIZE") < 200 * MEGABYTE
