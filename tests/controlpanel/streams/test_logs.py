"""Logs: frames or raw bytes, tails and times, and a follow that ends with the container."""

from __future__ import annotations

import socket
from collections.abc import Callable

import docker
import docker.errors
import pytest

from engine.containers import wire
from tests.controlpanel.streams.conftest import Make
from tests.controlpanel.streams.doubles import listening
from tests.controlpanel.streams.service import Service
from tests.support.docker import Docker

Write = Callable[..., None]


def test_both_streams_as_the_docker_command_shows_them(cli: Docker, make: Make, write_log: Write) -> None:
    container = make()
    write_log(container, "one\n", "half a ")
    write_log(container, "line\n")
    write_log(container, "two\n", stream="stderr")
    result = cli.run("logs", container)
    assert result.stdout == b"one\nhalf a line\n"
    assert result.stderr == b"two\n"


def test_timestamps_tail_since_until_and_details(client: docker.APIClient, make: Make, write_log: Write) -> None:
    container = make()
    for second in range(5):
        write_log(container, f"{second}\n", time=f"2026-01-01T00:00:0{second}.25Z")
    start = 1767225600
    assert client.logs(container, tail=2) == b"3\n4\n"
    assert client.logs(container, tail=0) == b""
    assert client.logs(container, tail="nonsense") == b"0\n1\n2\n3\n4\n"
    assert client.logs(container, since=start + 3) == b"3\n4\n"
    assert client.logs(container, until=start + 1.5) == b"0\n1\n"
    assert client.logs(container, tail=1, timestamps=True) == b"2026-01-01T00:00:04.250000000Z 4\n"
    assert client.logs(container, stderr=False, stdout=True, tail=1) == b"4\n"


def test_a_terminal_s_log_is_raw(service: Service, make: Make, write_log: Write) -> None:
    container = make(config={"Tty": True})
    write_log(container, "prompt\r\n")
    with service.connect() as sock:
        sock.sendall(f"GET /v1.47/containers/{container}/logs?stdout=1 HTTP/1.0\r\n\r\n".encode())
        answer = sock.recv(10000)
        while chunk := sock.recv(10000):
            answer += chunk
    assert b"Content-Type: application/vnd.docker.raw-stream\r\n" in answer
    assert answer.endswith(b"\r\n\r\nprompt\r\n")


def test_follow_sees_what_is_added_and_ends_with_the_container(
    service: Service, client: docker.APIClient, make: Make, write_log: Write
) -> None:
    container = make(status="running", previous_status="running")
    write_log(container, "old\n")
    watchers: list[socket.socket] = []

    def shim(message: wire.Message, fds: list[int], connection: socket.socket) -> wire.Message:
        watchers.append(connection)
        return {}

    with listening(service.layout.shim_socket(container), shim):
        stream = client.logs(container, stream=True, follow=True)
        assert next(stream) == b"old\n"
        write_log(container, "new\n")
        wire.send(watchers[0], {})
        assert next(stream) == b"new\n"
        write_log(container, "last\n")
        watchers[0].shutdown(socket.SHUT_RDWR)
        assert list(stream) == [b"last\n"]


def test_follow_of_an_ended_container_ends_at_once(client: docker.APIClient, make: Make, write_log: Write) -> None:
    container = make(status="exited", previous_status="exited")
    write_log(container, "all\n")
    assert list(client.logs(container, stream=True, follow=True)) == [b"all\n"]


def test_a_container_without_a_log_has_an_empty_one(client: docker.APIClient, make: Make) -> None:
    assert client.logs(make()) == b""


def test_a_long_log_arrives_whole(cli: Docker, make: Make, write_log: Write) -> None:
    container = make()
    write_log(container, *(f"line {number}\n" for number in range(100_000)))
    output = cli.run("logs", container).stdout
    assert output.count(b"\n") == 100_000
    assert output.endswith(b"line 99999\n")


@pytest.mark.parametrize(
    ("fields", "query", "status", "text"),
    [
        ({}, {"stdout": False, "stderr": False}, 400, "you must choose at least one stream"),
        ({"status": "dead"}, {}, 409, "dead or marked for removal"),
        ({"host_config": {"LogConfig": {"Type": "none"}}}, {}, 501, "does not support reading"),
    ],
)
def test_refusals(
    client: docker.APIClient, make: Make, fields: dict[str, object], query: dict[str, bool], status: int, text: str
) -> None:
    with pytest.raises(docker.errors.APIError, match=text) as error:
        client.logs(make(**fields), **query)
    assert error.value.response.status_code == status
