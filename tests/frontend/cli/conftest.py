"""An engine of canned answers and the client that talks to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.frontend.cli.engine import Engine, serve

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with serve(tmp_path / "engine.sock") as served:
        yield served


@pytest.fixture
def muelle(engine: Engine) -> Run:
    """Run the client as its own process: ``muelle("ps", "-q", input=b"")``."""

    def run(*arguments: str, input: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:  # noqa: A002
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "MUELLE_"))}
        variables |= {"DOCKER_HOST": engine.host, "TZ": "UTC", **environment}
        command = [sys.executable, "-m", "frontend.cli", *arguments]
        return subprocess.run(command, input=input, capture_output=True, env=variables, timeout=60, check=False)

    return run
