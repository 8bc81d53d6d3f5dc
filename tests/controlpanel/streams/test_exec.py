"""Exec start: the shim runs the command with the client's connection, once."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from typing import Any

import docker
import docker.errors
import pytest

from engine.containers import frames, wire
from engine.errors import InvalidArgument
from tests.controlpanel.streams.conftest import Make, read_all
from tests.controlpanel.streams.doubles import client_socket, listening
from tests.controlpanel.streams.service import Service

CONFIG = {
    "Cmd": ["sh", "-c", "true"],
    "Env": ["A=1"],
    "WorkingDir": "/tmp",
    "User": "1000",
    "Tty": False,
    "Privileged": False,
    "AttachStdin": True,
    "AttachStdout": True,
    "AttachStderr": True,
    "DetachKeys": "",
}
MakeExec = Callable[..., str]


@pytest.fixture
def make_exec(service: Service, make: Make) -> MakeExec:
    """Make a running container with an exec session; the result is the session's id."""

    def make_session(status: str = "running", **config: Any) -> str:
        container = make(status=status, previous_status=status)
        session = secrets.token_hex(32)
        service.seed({"model": "Exec", "id": session, "container_id": container, "config": {**CONFIG, **config}})
        return session

    return make_session


def shim_of(service: Service, session: str) -> Any:
    (container,) = service.fetch("exec", session, "container_id")
    return service.layout.shim_socket(container)


def run(message: wire.Message, fds: list[int], connection: socket.socket) -> wire.Message:
    """A shim whose command answers with what it reads."""
    wire.send(connection, {"pid": 4711})
    if fds:
        with client_socket(fds) as client:
            data = client.recv(100)
            client.sendall(frames.header(1, len(data)) + data)
    return {}


def test_the_command_gets_the_connection_and_its_description(service: Service, make_exec: MakeExec) -> None:
    session = make_exec()
    body = b'{"Detach":false,"Tty":false,"ConsoleSize":[24,80]}'
    head = f"POST /v1.47/exec/{session}/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    upgrade = f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(body)}\r\n\r\n"
    with listening(shim_of(service, session), run) as shim, service.connect() as sock:
        sock.sendall((head + upgrade).encode() + body)
        received = sock.recv(1000)
        sock.sendall(b"hello")
        received += read_all(sock)
    assert received.startswith(b"HTTP/1.1 101 UPGRADED\r\n")
    assert received.endswith(b"\r\n\r\n" + frames.header(1, 5) + b"hello")
    message = shim.messages[0]
    assert message["args"] == ["sh", "-c", "true"]
    assert (message["env"], message["cwd"], message["user"]) == (["A=1"], "/tmp", "1000")
    assert message["console_size"] == [24, 80]
    assert message["framed"]
    assert service.fetch("exec", session, "started", "running") == (1, 1)


def test_the_stream_waits_until_its_head_is_read(service: Service, make_exec: MakeExec) -> None:
    """docker-py throws away whatever has arrived with the head."""
    session = make_exec()

    def hasty(message: wire.Message, fds: list[int], connection: socket.socket) -> wire.Message:
        wire.send(connection, {"pid": 4711})
        with client_socket(fds) as client:
            client.sendall(b"output")
        return {}

    head = f"POST /exec/{session}/start HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    with listening(shim_of(service, session), hasty), service.connect() as sock:
        sock.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n{}")
        time.sleep(0.1)
        assert sock.recv(1000).endswith(b"\r\n\r\n")
        assert read_all(sock) == b"output"


def test_chunked_bodies_are_no_input(service: Service, make_exec: MakeExec) -> None:
    session = make_exec()
    head = f"POST /exec/{session}/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with listening(shim_of(service, session), run), service.connect() as sock:
        sock.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n".encode())
        received = sock.recv(1000)
        sock.sendall(b"hello")
        assert (received + read_all(sock)).endswith(frames.header(1, 5) + b"hello")


def test_detached(service: Service, client: docker.APIClient, make_exec: MakeExec) -> None:
    session = make_exec()
    with listening(shim_of(service, session), run) as shim:
        assert not client.exec_start(session, detach=True)
    assert not shim.messages[0]["stdin"]
    assert not shim.messages[0]["stdout"]


def test_a_command_that_cannot_start_is_an_error_when_detached(
    service: Service, client: docker.APIClient, make_exec: MakeExec
) -> None:
    session = make_exec()

    def refuse(message: wire.Message, fds: list[int], connection: socket.socket) -> wire.Message:
        return {"error": InvalidArgument('exec: "nosuch": executable file not found in $PATH').to_json()}

    with (
        listening(shim_of(service, session), refuse),
        pytest.raises(docker.errors.APIError, match="not found") as error,
    ):
        client.exec_start(session, detach=True)
    assert error.value.response.status_code == 400


def test_nothing_runs_twice(service: Service, client: docker.APIClient, make_exec: MakeExec) -> None:
    session = make_exec()
    with listening(shim_of(service, session), run):
        client.exec_start(session, detach=True)
        with pytest.raises(docker.errors.APIError, match="is already running"):
            client.exec_start(session, detach=True)
        service.update("exec", session, running=0, exit_code=0)
        with pytest.raises(docker.errors.APIError, match="has already run"):
            client.exec_start(session, detach=True)


def test_without_a_shim_the_session_is_over(service: Service, client: docker.APIClient, make_exec: MakeExec) -> None:
    session = make_exec()
    with pytest.raises(docker.errors.APIError, match="is not running") as error:
        client.exec_start(session, detach=True)
    assert (error.value.response.status_code, "/" in str(error.value.explanation)) == (409, False)
    assert service.fetch("exec", session, "running", "exit_code") == (0, 126)


@pytest.mark.parametrize(
    ("status", "text"), [("paused", "unpause the container before exec"), ("exited", "not running")]
)
def test_the_container_has_to_run(client: docker.APIClient, make_exec: MakeExec, status: str, text: str) -> None:
    with pytest.raises(docker.errors.APIError, match=text) as error:
        client.exec_start(make_exec(status), detach=True)
    assert error.value.response.status_code == 409


def test_a_missing_session_is_docker_s_404(client: docker.APIClient) -> None:
    with pytest.raises(docker.errors.NotFound, match="No such exec instance: nosuch"):
        client.exec_start("nosuch", detach=True)


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain", "{}", b"unsupported Content-Type header (text/plain): must be 'application/json'"),
        ("application/json", "{", b"invalid JSON"),
        ("application/json", "[]", b"invalid JSON"),
    ],
)
def test_bodies_that_are_none(service: Service, make_exec: MakeExec, content_type: str, body: str, text: bytes) -> None:
    head = f"POST /exec/{make_exec()}/start HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n"
    with service.connect() as sock:
        sock.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nContent-Type: application/json\r\n" in answer
    assert text in answer
