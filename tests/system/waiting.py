"""Waiting for what a host does in its own time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.docker import Docker

PATIENCE = 15.0
PAUSE = 0.05
JSON = "{{json .}}"  # the word "json" is unknown to the command of Docker 20.10


def eventually(check: Callable[[], object]) -> None:
    """Return once ``check`` gives something true; after a while fail with its last result."""
    deadline = time.monotonic() + PATIENCE
    while not (last := check()):
        assert time.monotonic() < deadline, f"it did not come to that: {last!r}"
        time.sleep(PAUSE)


def inspect(docker: Docker, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(docker("inspect", name))
    return found[0]


def api_version(docker: Docker) -> tuple[int, ...]:
    """The API version that command and host agreed on."""
    return tuple(map(int, docker("version", "-f", "{{.Client.APIVersion}}").split(".")))


def state(docker: Docker, name: str) -> str:
    return docker("inspect", "-f", "{{.State.Status}}", name)
