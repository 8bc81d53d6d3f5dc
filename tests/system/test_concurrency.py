"""Many clients, one container: every answer is a valid one and nothing is left behind."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.docker import Docker
from tests.support.installation import free_port
from tests.system import http
from tests.system.waiting import eventually, inspect, state

if TYPE_CHECKING:
    from tests.support.installation import Installation

CLIENTS = 8
API = "/v1.41"
CGROUPS = Path("/sys/fs/cgroup")


@pytest.fixture
def host(installation: Installation, docker: Docker) -> str:
    return installation.docker_host


def at_once(*works: Callable[[], int]) -> list[int]:
    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(work) for work in works]]


def traces(identity: str) -> list[str]:
    """Where the kernel still knows a container by its ID."""
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if identity in line]
    return (
        mounts
        + [str(path) for path in CGROUPS.glob(f"*/*/{identity}")]
        + [str(path) for path in CGROUPS.glob(f"*/{identity}")]
    )


def _untraceable(identity: str) -> bool:
    return not traces(identity)


@contextmanager
def nothing_left(docker: Docker) -> Iterator[Callable[[str], None]]:
    """Containers named in the body leave neither mounts and cgroups nor an endpoint in the network."""
    known: list[str] = []
    yield known.append
    for identity in known:
        eventually(partial(_untraceable, identity))
    (network,) = json.loads(docker("network", "inspect", "bridge"))
    assert not set(known) & set(network["Containers"])


def test_starts_of_one_container(docker: Docker, host: str, image: str) -> None:
    identity = docker("create", image, "sleep", "1000")
    path = f"{API}/containers/{identity}/start"
    answers = at_once(*[lambda: http.call(host, "POST", path).status] * CLIENTS)
    assert sorted(answers) == [204] + [304] * (CLIENTS - 1)
    assert len(docker("top", identity).splitlines()) == 2


def test_stops_of_one_container(docker: Docker, host: str, sleeper: str) -> None:
    path = f"{API}/containers/{sleeper}/stop?t=1"
    answers = at_once(*[lambda: http.call(host, "POST", path).status] * CLIENTS)
    assert set(answers) <= {204, 304}
    assert 204 in answers
    assert state(docker, sleeper) == "exited"


def test_removals_of_one_container(docker: Docker, host: str, image: str) -> None:
    with nothing_left(docker) as watch:
        identity = docker("run", "-d", image, "sleep", "1000")
        watch(identity)
        path = f"{API}/containers/{identity}?force=1"
        answers = at_once(*[lambda: http.call(host, "DELETE", path).status] * CLIENTS)
        assert 204 in answers
        assert set(answers) <= {204, 404, 409}
        eventually(lambda: not docker("ps", "-aq", "--filter", f"id={identity}"))


def test_everything_at_once(docker: Docker, host: str, image: str) -> None:
    """Eight clients start, stop, kill, restart and pause as they like; then one container is there and well."""
    identity = docker("create", "--name", "contested", image, "sleep", "1000")
    choice = random.Random(7)
    verbs = {
        "start": {204, 304, 409}, "stop?t=0": {204, 304}, "kill": {204, 409}, "restart?t=0": {204, 409},
        "pause": {204, 409}, "unpause": {204, 409, 500},
    }  # fmt: skip

    def client(plan: list[str]) -> int:
        for verb in plan:
            answer = http.call(host, "POST", f"{API}/containers/{identity}/{verb}")
            assert answer.status in verbs[verb], (verb, answer)
            # Docker has 500 for this one although it is a conflict.
            assert answer.status != 500 or "is not paused" in answer.message
        return 0

    plans = [[choice.choice(list(verbs)) for _ in range(6)] for _ in range(CLIENTS)]
    with nothing_left(docker) as watch:
        watch(identity)
        at_once(*[lambda plan=plan: client(plan) for plan in plans])
        assert state(docker, "contested") in ("running", "paused", "exited", "created")
        found = inspect(docker, "contested")["State"]
        assert found["Running"] == (found["Pid"] != 0)
        docker("rm", "-f", "contested")


def test_creations_with_one_name(docker: Docker, host: str, image: str) -> None:
    path = f"{API}/containers/create?name=wanted"
    answers = at_once(*[lambda: http.call(host, "POST", path, {"Image": image}).status] * CLIENTS)
    assert sorted(answers) == [201] + [409] * (CLIENTS - 1)


def test_one_port_for_many(docker: Docker, host: str, image: str) -> None:
    body = {
        "Image": image,
        "Cmd": ["sleep", "100"],
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": str(free_port())}]}},
    }
    made = [json.loads(http.call(host, "POST", f"{API}/containers/create", body).body)["Id"] for _ in range(4)]
    paths = [f"{API}/containers/{identity}/start" for identity in made]
    answers = at_once(*[lambda path=path: http.call(host, "POST", path).status for path in paths])
    assert sorted(answers) == [204, 500, 500, 500]


def test_runs_side_by_side(docker: Docker, image: str) -> None:
    def run(number: int) -> int:
        result = docker.run("run", "--rm", image, "sh", "-c", f"echo {number}; exit {number}")
        assert result.stdout == f"{number}\n".encode()
        return result.returncode

    answers = at_once(*[lambda number=number: run(number) for number in range(16)])
    assert answers == list(range(16))


def test_a_volume_that_many_create(docker: Docker, image: str) -> None:
    answers = at_once(*[
        lambda: docker.run("run", "--rm", "-v", "contended:/etc", image, "cat", "/etc/group").returncode
    ] * CLIENTS)  # fmt: skip
    assert answers == [0] * CLIENTS


def test_addresses_differ(docker: Docker, image: str) -> None:
    at_once(*[lambda: docker.run("run", "-d", "--label", "many", image, "sleep", "1000").returncode] * CLIENTS)
    names = docker("ps", "-q", "--filter", "label=many").split()
    found = docker("inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", *names).split()
    assert len(set(found)) == CLIENTS
