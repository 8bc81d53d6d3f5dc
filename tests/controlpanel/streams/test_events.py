"""Docker's event stream: history, live events, filters."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

import pytest

from controlpanel.rest.filters import Filters
from controlpanel.streams.event_filter import EventFilter
from tests.controlpanel.streams.conftest import read_all
from tests.controlpanel.streams.service import Service
from tests.support.docker import Docker

if TYPE_CHECKING:
    import docker

EVENT = {
    "Type": "container",
    "Action": "exec_create: sh -c true",
    "Actor": {"ID": "abc123", "Attributes": {"name": "web", "image": "host:5000/app:1", "tier": "front"}},
    "scope": "local",
    "timeNano": 1000,
}


@pytest.mark.parametrize(
    ("wanted", "admitted"),
    [
        ({}, True),
        ({"type": ["container"]}, True),
        ({"type": ["image", "container"]}, True),
        ({"type": ["image"]}, False),
        ({"event": ["exec_create"]}, True),
        ({"event": ["start"]}, False),
        ({"container": ["web"]}, True),
        ({"container": ["abc"]}, True),
        ({"container": ["db"]}, False),
        ({"container": ["web"], "type": ["image"]}, False),
        ({"image": ["host:5000/app"]}, True),
        ({"image": ["host:5000/app:1"]}, True),
        ({"image": ["host"]}, False),
        ({"label": ["tier"]}, True),
        ({"label": ["tier=front", "other"]}, False),
        ({"scope": ["swarm"]}, False),
        ({"network": ["n"]}, False),
    ],
)
def test_filters(wanted: dict[str, list[str]], admitted: bool) -> None:
    assert EventFilter(Filters(wanted)).admits(EVENT) is admitted


@pytest.mark.parametrize(("since", "until", "admitted"), [(1000, 1000, True), (1001, None, False), (None, 999, False)])
def test_limits_in_time(since: int | None, until: int | None, admitted: bool) -> None:
    assert EventFilter(Filters(), since, until).admits(EVENT) is admitted


def test_live_events_arrive_once_and_in_order(service: Service, client: docker.APIClient) -> None:
    name = secrets.token_hex(8)
    stream = client.events(decode=True, filters={"container": name})
    for action in ("create", "start", "die"):
        service.publish("container", action, name, name=name)
    received: list[dict[str, Any]] = [next(stream) for _ in range(3)]
    stream.close()
    assert [event["Action"] for event in received] == ["create", "start", "die"]
    assert received[0]["status"] == "create"
    assert received[0]["timeNano"] > 10**18


def test_past_and_live_events_join_without_gap_or_repetition(service: Service, client: docker.APIClient) -> None:
    name, since = secrets.token_hex(8), time.time() - 1
    for number in range(5):
        service.publish("container", f"past{number}", name, name=name)
    stream = client.events(decode=True, since=since, filters={"container": name})
    received = [next(stream)["Action"]]
    for number in range(5):
        service.publish("container", f"live{number}", name, name=name)
    received += [next(stream)["Action"] for _ in range(9)]
    stream.close()
    assert received == [f"past{n}" for n in range(5)] + [f"live{n}" for n in range(5)]


def test_a_moment_in_the_past_ends_the_stream(service: Service, cli: Docker) -> None:
    name, since = secrets.token_hex(8), time.time() - 1
    service.publish("container", "start", name, name=name, image="busybox")
    service.publish("network", "connect", name, name="bridge")
    output = cli(
        "events", f"--since={since:.3f}", f"--until={time.time() + 0.2:.3f}", "--filter=type=container",
        f"--filter=container={name}", "--format={{json .}}",
    )  # fmt: skip
    assert [json.loads(line)["Action"] for line in output.splitlines()] == ["start"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("filters=%7B%22colour%22:%5B%22red%22%5D%7D", b"invalid filter 'colour'"),
        ("filters=nonsense", b"invalid filter"),
        ("since=2000&until=1000", b"`since` time (2000) cannot be after `until` time (1000)"),
        ("since=yesterday", b"want seconds since 1970"),
    ],
)
def test_refusals(service: Service, query: str, text: bytes) -> None:
    with service.connect() as sock:
        sock.sendall(f"GET /events?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert text in answer
