"""One web process for the whole room; each test has a container of its own."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from redis import Redis

from tests.controlpanel.streams.service import Service, eventually, running, spawned
from tests.support.docker import Docker

Make = Callable[..., str]


@pytest.fixture(scope="package")
def service(nothing_left_behind: None) -> Iterator[Service]:
    root = Path(tempfile.mkdtemp(prefix="muelle-d-"))
    try:
        with running(root) as started:
            yield started
    finally:
        shutil.rmtree(root)


@pytest.fixture(scope="package")
def worker(service: Service) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", "tests.controlpanel.streams.worker", "worker"]
    options = [
        "--pool=threads",
        "--concurrency=4",
        "--queues=local.transfer,local.disk,local.lifecycle",
        "--loglevel=warning",
    ]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with spawned([*command, *options, *quiet], service.environment):
        eventually(lambda: _consumes(service), "a worker at its queues")
        yield


def _consumes(service: Service) -> bool:
    with Redis(unix_socket_path=str(service.layout.broker_socket)) as client:
        return any(each["cmd"] == "brpop" for each in client.client_list())


@pytest.fixture
def make(service: Service) -> Make:
    """Make a container row; the result is its id."""

    def make_container(**fields: Any) -> str:
        container_id = secrets.token_hex(32)
        service.seed({"model": "Container", "id": container_id, "name": f"c-{container_id[:8]}", **fields})
        return container_id

    return make_container


@pytest.fixture
def write_log(service: Service) -> Callable[..., None]:
    """Append lines to a container's log: ``write_log(id, "out line\\n", stderr="…")``."""

    def write(container_id: str, *lines: str, stream: str = "stdout", time: str = "2026-01-02T03:04:05.5Z") -> None:
        path = service.layout.log(container_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.writelines(json.dumps({"log": line, "stream": stream, "time": time}) + "\n" for line in lines)

    return write


@pytest.fixture
def client(service: Service) -> Iterator[docker.APIClient]:
    api = docker.APIClient(base_url=service.docker_host, version="1.47", timeout=8)
    yield api
    api.close()


@pytest.fixture
def cli(service: Service, tmp_path: Path) -> Docker:
    return Docker(service.docker_host, tmp_path)


def read_all(sock: socket.socket) -> bytes:
    """Until the server closes."""
    chunks = []
    while chunk := sock.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)
