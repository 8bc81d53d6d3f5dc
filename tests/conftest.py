"""Fixtures for all tests: a running installation with its clients, and the proof that nothing is left behind."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support import leaks, processes
from tests.support.installation import Installation, instances, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker as docker_py

    from tests.support.docker import Docker

# Set by ./muelle test: nothing else works on this machine meanwhile, so everything new is ours. Without it only what
# bears the name of an installation of this run is looked at.
ALONE = "MUELLE_TEST_ALONE"

# The gate asks the same of every commit, on machines of any speed; "search" looks for what nobody has met yet:
# pytest --hypothesis-profile=search tests/engine/archives
settings.register_profile("gate", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", max_examples=4000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("gate")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Kernel and system tests need root; say so instead of failing in the middle of something."""
    if os.geteuid() == 0:
        return
    skip = pytest.mark.skip(reason="needs root")
    for item in items:
        if any(item.get_closest_marker(name) for name in ("kernel", "system", "browser")):
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """The last word of a run: no process, mount, link, firewall table, network namespace or cgroup remains."""
    processes.mark()
    before = leaks.snapshot()
    yield
    left = leaks.remaining(before)
    if not os.environ.get(ALONE):
        left = {kind: ours for kind, names in left.items() if (ours := [name for name in names if _is_ours(name)])}
    if alive := _processes_after_a_while():
        left["processes"] = alive
    assert not left, f"this run left behind: {left}"


@pytest.fixture(scope="session")
def installation(nothing_left_behind: None) -> Iterator[Installation]:
    """A complete installation of its own; the image busybox:latest is in it."""
    if shutil.which("docker") is None:
        pytest.fail("the docker command is missing; ./muelle test installs it")
    with running() as started:
        yield started


@pytest.fixture
def docker(installation: Installation) -> Iterator[Docker]:
    """The docker command; containers, volumes and networks that the test made are removed afterwards."""
    command = installation.docker()
    before = objects(command)
    yield command
    after = objects(command)
    for kind, removal in REMOVALS.items():
        if made := sorted(after[kind] - before[kind]):
            command.run(*removal, *made)


@pytest.fixture
def client(installation: Installation, docker: Docker) -> Iterator[docker_py.DockerClient]:
    """docker-py; what the test made is removed afterwards."""
    api = installation.client()
    yield api
    api.close()


LISTINGS = {
    "containers": ("ps", "-aq", "--no-trunc"),
    "volumes": ("volume", "ls", "-q"),
    "networks": ("network", "ls", "-q", "--no-trunc"),
}
REMOVALS = {
    "containers": ("rm", "-f", "-v"),
    "volumes": ("volume", "rm", "-f"),
    "networks": ("network", "rm"),
}


def objects(command: Docker) -> dict[str, set[str]]:
    return {kind: set(command(*words, check=False).split()) for kind, words in LISTINGS.items()}


def _is_ours(name: str) -> bool:
    return any(instance in name for instance in instances())


def _processes_after_a_while() -> list[str]:
    deadline = time.monotonic() + leaks.PATIENCE
    while (alive := processes.marked()) and time.monotonic() < deadline:
        time.sleep(leaks.PAUSE)
    return alive
