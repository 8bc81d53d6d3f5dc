"""Attach: the shim gets the client's own connection, before or after the start, with what was read too early."""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from engine.containers import frames, wire
from tests.controlpanel.streams.conftest import Make, read_all
from tests.controlpanel.streams.doubles import client_socket, listening
from tests.controlpanel.streams.service import Service, eventually

if TYPE_CHECKING:
    import docker

UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
MULTIPLEXED = b"application/vnd.docker.multiplexed-stream"
RAW = b"application/vnd.docker.raw-stream"


def frame(stream: int, text: bytes) -> bytes:
    return frames.header(stream, len(text)) + text


def echo(message: wire.Message, fds: list[int], connection: socket.socket) -> wire.Message:
    """A shim whose process writes a line, then repeats its input, and ends with it."""
    wire.send(connection, {})
    with client_socket(fds) as client:
        client.sendall(frame(1, b"hello\n") if message["framed"] else b"hello\n")
        data = base64.b64decode(message["surplus"])
        while chunk := client.recv(1000):
            data += chunk
        client.sendall(frame(2, data) if message["framed"] else data)
    return {}


def request(path: str, headers: str = UPGRADE, body: bytes = b"") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: docker\r\n{headers}Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [(UPGRADE, b"HTTP/1.1 101 UPGRADED\r\n", MULTIPLEXED), ("", b"HTTP/1.1 200 OK\r\n", RAW)],
)
def test_both_forms_of_hijack_survive_a_half_close(
    service: Service, make: Make, headers: str, status: bytes, kind: bytes
) -> None:
    container = make(status="running", previous_status="running")
    with listening(service.layout.shim_socket(container), echo) as shim, service.connect() as sock:
        path = f"/v1.47/containers/{container}/attach?stream=1&stdin=1&stdout=1&stderr=1"
        sock.sendall(request(path, headers, b"too early, "))
        sock.sendall(b"in time")
        sock.shutdown(socket.SHUT_WR)
        head, _, stream = read_all(sock).partition(b"\r\n\r\n")
    assert head.startswith(status)
    assert b"Content-Type: " + kind in head
    assert b"Transfer-Encoding" not in head
    assert b"Content-Length" not in head
    assert stream == frame(1, b"hello\n") + frame(2, b"too early, in time")
    assert shim.messages[0]["op"] == "attach"
    assert shim.messages[0]["detach_keys"] == [16, 17]


def test_old_clients_and_terminals_get_raw_streams(service: Service, make: Make) -> None:
    container = make(status="running", previous_status="running", config={"Tty": True})
    with listening(service.layout.shim_socket(container), echo), service.connect() as sock:
        sock.sendall(request(f"/containers/{container}/attach?stream=1&stdout=1"))
        sock.shutdown(socket.SHUT_WR)
        head, _, stream = read_all(sock).partition(b"\r\n\r\n")
    assert b"Content-Type: " + RAW in head
    assert stream == b"hello\n"


def test_before_the_start_the_launcher_keeps_the_connection(service: Service, make: Make) -> None:
    container = make()
    with listening(service.layout.attach_socket, echo) as launcher, service.connect() as sock:
        sock.sendall(request(f"/containers/{container}/attach?stream=1&stdout=1&detachKeys=ctrl-a,x"))
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock).endswith(frame(1, b"hello\n") + frame(2, b""))
    assert launcher.messages[0]["container"] == container
    assert launcher.messages[0]["detach_keys"] == [1, ord("x")]


def test_when_nobody_takes_the_connection_the_client_is_told_by_a_status(service: Service, make: Make) -> None:
    """``docker run`` would go on to start the container, and lose its output, if it were told in the stream."""
    container = make()
    with service.connect() as sock:
        sock.settimeout(30)
        sock.sendall(request(f"/containers/{container}/attach?stream=1&stdout=1"))
        answer = sock.recv(10000)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"the launcher does not answer" in answer


@pytest.mark.parametrize(
    ("fields", "query", "status", "text"),
    [
        ({"status": "paused"}, "", 409, b"is paused, unpause the container before attach"),
        ({"status": "restarting"}, "", 409, b"is restarting, wait until the container is running"),
        ({}, "&detachKeys=nonsense", 400, b"Invalid detach keys (nonsense) provided"),
    ],
)
def test_refusals(service: Service, make: Make, fields: dict[str, Any], query: str, status: int, text: bytes) -> None:
    container = make(**fields)
    with service.connect() as sock:
        sock.sendall(request(f"/containers/{container}/attach?stream=1{query}", UPGRADE + "X: y\r\n"))
        answer = sock.recv(10000)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert text in answer


def test_docker_py_attaches(service: Service, client: docker.APIClient, make: Make) -> None:
    container = make(status="running", previous_status="running")
    with listening(service.layout.shim_socket(container), echo):
        sock = client.attach_socket(container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        raw = sock._sock
        raw.sendall(b"from docker-py")
        raw.shutdown(socket.SHUT_WR)
        assert read_all(raw) == frame(1, b"hello\n") + frame(2, b"from docker-py")
        sock.close()
        raw.close()


def test_the_log_comes_first_and_what_follows_comes_from_it_too(
    service: Service, make: Make, write_log: Callable[..., None]
) -> None:
    container = make(status="running", previous_status="running")
    write_log(container, "before\n")

    watchers: list[socket.socket] = []

    def shim(message: wire.Message, fds: list[int], connection: socket.socket) -> wire.Message:
        if message["op"] == "watch":
            watchers.append(connection)
            return {}
        wire.send(connection, {})
        with client_socket(fds) as stdin:
            write_log(container, f"typed {stdin.recv(100).decode()}\n", stream="stderr")
        wire.send(watchers[0], {})
        watchers[0].shutdown(socket.SHUT_RDWR)
        return {}

    with listening(service.layout.shim_socket(container), shim), service.connect() as sock:
        sock.sendall(request(f"/containers/{container}/attach?logs=1&stream=1&stdin=1&stdout=1&stderr=1"))
        received = b""
        while frame(1, b"before\n") not in received:
            received += sock.recv(1000)
        sock.sendall(b"hello")
        assert read_all(sock) == frame(2, b"typed hello\n")


def test_the_log_alone(service: Service, make: Make, write_log: Callable[..., None]) -> None:
    container = make()
    write_log(container, "one\n", "two\n")
    with service.connect() as sock:
        sock.sendall(request(f"/containers/{container}/attach?logs=1&stdout=1&stderr=1"))
        assert read_all(sock).endswith(frame(1, b"one\n") + frame(1, b"two\n"))


HANDSHAKE = (
    "GET /v1.47/containers/{}/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: localhost\r\n{}"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def test_attach_over_a_websocket(service: Service, make: Make) -> None:
    container = make(status="running", previous_status="running")

    def shim(message: wire.Message, fds: list[int], connection: socket.socket) -> wire.Message:
        wire.send(connection, {})
        with client_socket(fds) as client:
            client.sendall(b"got " + client.recv(100))
        return {}

    with listening(service.layout.shim_socket(container), shim) as double, service.connect() as sock:
        sock.sendall(HANDSHAKE.format(container, "").encode())
        assert sock.recv(1000).startswith(b"HTTP/1.1 101 ")
        # A binary message of five bytes, masked with zeros (RFC 6455 section 5.2).
        sock.sendall(bytes((0x82, 0x85, 0, 0, 0, 0)) + b"hello")
        answer = b""
        while len(answer) < 11:
            answer += sock.recv(100)
    assert answer[:11] == bytes((0x82, 9)) + b"got hello"
    assert double.messages[0]["framed"] is False


def masked(data: bytes) -> bytes:
    """A binary message, masked with zeros (RFC 6455 section 5.2)."""
    return b"\x82\xfe" + len(data).to_bytes(2, "big") + bytes(4) + data


def test_over_a_websocket_the_log_comes_first(service: Service, make: Make, write_log: Callable[..., None]) -> None:
    """And without ``stream`` nothing else."""
    container = make()
    write_log(container, "one\n", "two\n")
    with service.connect() as sock:
        sock.sendall(HANDSHAKE.format(container, "").replace("stream=1&stdin=1", "logs=1").encode())
        answer = read_all(sock)
    assert b"\x82\x08one\ntwo\n" in answer


@pytest.mark.parametrize("version", ["1.23", "1.52", "1.2.3"])
def test_a_websocket_of_another_version_is_refused(service: Service, make: Make, version: str) -> None:
    container = make(status="running", previous_status="running")
    with listening(service.layout.shim_socket(container), echo), service.connect() as sock:
        sock.sendall(HANDSHAKE.format(container, "").replace("1.47", version).encode())
        assert sock.recv(1000).startswith(b"HTTP/1.1 403 ")


def test_who_types_into_a_container_that_does_not_read_loses_its_websocket(service: Service, make: Make) -> None:
    """A client that leaves first leaves nothing behind."""
    container = make(status="running", previous_status="running")
    kept: list[int] = []

    def shim(message: wire.Message, fds: list[int], connection: socket.socket) -> wire.Message:
        kept.extend(fds)
        return {}

    before = service.connections()
    with listening(service.layout.shim_socket(container), shim):
        for patient in (True, False):
            with service.connect() as sock:
                sock.sendall(HANDSHAKE.format(container, "").encode())
                assert sock.recv(1000).startswith(b"HTTP/1.1 101 ")
                with contextlib.suppress(ConnectionError):
                    for _ in range(10 if patient else 200):
                        sock.sendall(masked(bytes(60_000)))
                    assert patient or b"\x88" in sock.recv(1000), "the server took it all"
        eventually(lambda: service.connections() <= before)
    wire.close_all(kept)


def test_a_page_of_another_origin_may_not_attach(service: Service, make: Make) -> None:
    with service.connect() as sock:
        sock.sendall(HANDSHAKE.format(make(), "Origin: http://evil.example\r\n").encode())
        assert sock.recv(1000).startswith(b"HTTP/1.1 403 ")
