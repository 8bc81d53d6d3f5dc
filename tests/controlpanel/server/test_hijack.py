"""A connection that is taken out of the server belongs to its taker alone."""

from __future__ import annotations

import socket

from tests.controlpanel.server.conftest import Connect, read_all

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
