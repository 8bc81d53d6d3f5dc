"""What the black-box suites share: one host, one image, one idle container.

The suites know nothing of Muelle. With MUELLE_TEST_DOCKER_HOST they run against any Docker host, which is how they are
themselves tested: what dockerd does is the truth.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from docker import DockerClient

from tests.support.archives import busybox_archive
from tests.support.docker import Docker

if TYPE_CHECKING:
    from tests.support.installation import Installation

REFERENCE = "MUELLE_TEST_DOCKER_HOST"
IMAGE = "muelle-system:latest"
DIRECTORY = Path(__file__).parent


class Reference(NamedTuple):
    """A Docker host that somebody else runs, in the shape of an installation."""

    docker_host: str
    config: Path

    def docker(self) -> Docker:
        return Docker(self.docker_host, self.config)

    def client(self, timeout: float = 60) -> DockerClient:
        return DockerClient(base_url=self.docker_host, version="auto", timeout=timeout)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if DIRECTORY in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="session")
def installation(request: pytest.FixtureRequest) -> Iterator[Installation | Reference]:
    if host := os.environ.get(REFERENCE):
        with tempfile.TemporaryDirectory() as config:
            yield Reference(host, Path(config))
    else:
        yield request.getfixturevalue("installation")


@pytest.fixture(scope="session")
def image(installation: Installation | Reference) -> Iterator[str]:
    """Debian's static busybox, loaded with ``docker load``."""
    docker = installation.docker()
    docker("load", stdin=busybox_archive(IMAGE))
    yield IMAGE
    docker("rmi", "-f", IMAGE)


@pytest.fixture(scope="session")
def idle(installation: Installation | Reference, image: str) -> Iterator[str]:
    """A container that runs all the time and does nothing; tests leave it as it is."""
    docker = installation.docker()
    yield docker("run", "-d", "--name", "idle", "-e", "GREETING=hello", image, "sleep", "100000")
    docker("rm", "-f", "-v", "idle")


@pytest.fixture
def sleeper(docker: Docker, image: str) -> str:
    """The name of a running container that is the test's own."""
    docker("run", "-d", "--name", "sleeper", image, "sleep", "100000")
    return "sleeper"
