"""Waiting for a container's end: heads at once, the right exit code, and no thread for each who waits."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from contextlib import ExitStack

import docker
import docker.errors
import pytest

from controlpanel.access.scope import Scope
from controlpanel.objects.events import Event
from controlpanel.objects.models import Container
from controlpanel.streams import hub, wait
from tests.controlpanel.streams.conftest import Make, read_all
from tests.controlpanel.streams.service import Service, eventually
from tests.support.docker import Docker

CROWD = 300


def ask(service: Service, container: str, condition: str = "") -> socket.socket:
    """A wait whose head has arrived."""
    sock = service.connect()
    query = f"?condition={condition}" if condition else ""
    sock.sendall(f"POST /v1.47/containers/{container}/wait{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Transfer-Encoding: chunked" in head
    return sock


def answer(sock: socket.socket) -> int:
    """The exit code in the only chunk of the body."""
    sock.shutdown(socket.SHUT_WR)
    body = read_all(sock)
    code: int = json.loads(body.split(b"\r\n")[1])["StatusCode"]
    return code


def test_the_head_comes_before_the_exit_and_the_code_after_it(service: Service, make: Make) -> None:
    container = make(status="created")
    with ask(service, container, "next-exit") as sock:
        service.publish("container", "die", container, exitCode="3")
        assert answer(sock) == 3


def test_a_container_that_does_not_run_is_answered_at_once(service: Service, make: Make) -> None:
    with ask(service, make(status="exited", previous_status="exited", exit_code=9)) as sock:
        assert answer(sock) == 9


def test_a_new_container_counts_as_not_running(service: Service, make: Make) -> None:
    with ask(service, make(), "not-running") as sock:
        assert answer(sock) == 0


def test_removed_tells_the_last_exit_code_once_the_container_is_gone(service: Service, make: Make) -> None:
    container = make(status="running", previous_status="running")
    with ask(service, container, "removed") as sock:
        service.publish("container", "die", container, exitCode="42")
        service.publish("container", "destroy", container)
        assert answer(sock) == 42


def test_the_exit_of_another_container_is_none_of_ours(service: Service, make: Make) -> None:
    container, other = make(status="running", previous_status="running"), make()
    with ask(service, container) as sock:
        service.publish("container", "die", other, exitCode="1")
        service.publish("container", "die", container, exitCode="2")
        assert answer(sock) == 2


def test_an_unknown_condition_is_refused(client: docker.APIClient, make: Make) -> None:
    container = make()
    with pytest.raises(docker.errors.APIError, match='invalid condition: "never"') as refused:
        client.wait(container, condition="never")
    assert refused.value.response.status_code == 400


def test_a_missing_container_is_docker_s_404(client: docker.APIClient) -> None:
    with pytest.raises(docker.errors.NotFound, match="No such container: nosuch"):
        client.wait("nosuch")


def test_the_docker_command_prints_the_code(cli: Docker, make: Make) -> None:
    assert cli("wait", make(status="exited", previous_status="exited", exit_code=7)) == "7"


def test_a_crowd_that_waits_costs_no_threads_and_leaves_nothing(service: Service, make: Make) -> None:
    container = make(status="running", previous_status="running")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 2 * CROWD), hard), hard))
    before = service.connections()
    with ExitStack() as stack:
        crowd = [stack.enter_context(ask(service, container)) for _ in range(CROWD)]
        assert service.threads() < CROWD / 2
        service.publish("container", "die", container, exitCode="5")
        assert {answer(sock) for sock in crowd} == {5}
    eventually(lambda: service.connections() < before + 10, "closing of the connections")


def test_clients_that_leave_are_forgotten(service: Service, make: Make) -> None:
    container = make(status="running", previous_status="running")
    before = service.connections()
    for _ in range(20):
        ask(service, container).close()
    eventually(lambda: service.connections() < before + 10, "closing of the connections")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("condition", ["removed", "next-exit"])
async def test_a_container_that_went_while_nobody_listened(monkeypatch: pytest.MonkeyPatch, condition: str) -> None:
    """``docker run --rm`` on a host that has been quiet: all of it may happen before the reader is there."""
    container = Container(id="c" * 64, exit_code=0)
    earlier = entries("die", code="1")
    told = [[], earlier, [*earlier, *entries("start", "die", "destroy", code="7")]]

    async def history(_viewer: hub.Viewer, _start: str) -> list[hub.Entry]:
        return told.pop(0)

    monkeypatch.setattr(hub, "history", history)
    queue: hub.Queue = asyncio.Queue()
    queue.put_nowait(None)
    assert await wait.exit_code(Scope.of_engine(), queue, container, condition) == 7


@pytest.mark.django_db(transaction=True)
async def test_no_past_event_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole stream is long, and would be read five times a second by each who waits."""
    monkeypatch.setattr(wait, "LATE_PAUSE", 0.01)
    asked: list[str] = []
    told = [[], entries("die", code="7", entry_id="5-1"), entries("destroy", code="", entry_id="5-2")]

    async def history(_viewer: hub.Viewer, start: str) -> list[hub.Entry]:
        asked.append(start)
        return told.pop(0)

    monkeypatch.setattr(hub, "history", history)
    queue: hub.Queue = asyncio.Queue()
    for each in (*entries("start", code="", entry_id="4-0"), None):
        queue.put_nowait(each)
    assert await wait.exit_code(Scope.of_engine(), queue, Container(id="c" * 64, status="running"), "removed") == 7
    assert asked == ["(4-0", "(4-0", "(5-1"]


def entries(*actions: str, code: str, entry_id: str = "1-0") -> list[hub.Entry]:
    happened = [
        Event("container", action, "c" * 64, {"exitCode": code} if action == "die" else {}, 1) for action in actions
    ]
    return [hub.Entry(entry_id, each.to_json()) for each in happened]
