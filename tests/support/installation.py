"""A complete installation for tests, made by the command that users run, with its own home, run directory and port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from docker import DockerClient

from engine.layout import Layout
from tests.support.docker import Docker

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND = CHECKOUT / "muelle"
PASSWORD = "a long enough password"
STARTUP_SECONDS = 170
_INSTANCES: set[str] = set()


class Installation(NamedTuple):
    """One installation; ``environment`` is what its commands are started with."""

    layout: Layout
    port: int
    environment: dict[str, str]

    @property
    def docker_host(self) -> str:
        return f"unix://{self.layout.docker_socket}"

    @property
    def url(self) -> str:
        """The panel, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def muelle(self, *words: str, timeout: float = STARTUP_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run ``./muelle`` on this installation."""
        return subprocess.run(
            [COMMAND, *words],
            env={**self.environment, "DOCKER_HOST": self.docker_host},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def up(self) -> str:
        """Start it and return what the command printed; raises AssertionError with its output when it fails."""
        result = self.muelle("up", "-d")
        assert result.returncode == 0, f"{result.stdout}\n{result.stderr}\n{self.logs()}"
        return result.stdout

    def docker(self) -> Docker:
        """The docker command, talking to this installation."""
        return Docker(self.docker_host, self.layout.home.parent / "docker-config")

    def client(self, timeout: float = 60) -> DockerClient:
        """docker-py, talking to this installation; close it."""
        return DockerClient(base_url=self.docker_host, version="auto", timeout=timeout)

    def logs(self) -> str:
        """The end of each service's log, for a failing test's report."""
        parts = []
        for path in sorted(self.layout.logs.glob("*.log")):
            tail = path.read_text(errors="replace").splitlines()[-30:]
            parts.append("\n".join([f"--- {path.name}", *tail]))
        return "\n".join(parts)


def layout_below(root: Path) -> Layout:
    return Layout(root / "home", root / "run")


def scratch() -> Path:
    """A new directory that the user muelle can pass through, with a short name: socket paths are bounded."""
    root = Path(tempfile.mkdtemp(prefix="muelle-test-"))
    root.chmod(0o711)
    return root


def describe(root: Path) -> Installation:
    """An installation below a directory; nothing is started."""
    layout = layout_below(root)
    _INSTANCES.add(layout.instance)
    port = free_port()
    environment = {
        "HOME": os.environ.get("HOME", "/root"),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "MUELLE_HOME": str(layout.home),
        "MUELLE_RUN": str(layout.run),
        "MUELLE_BIND": f"127.0.0.1:{port}",
        "MUELLE_ADMIN_PASSWORD": PASSWORD,
    }
    return Installation(layout, port, environment)


@contextmanager
def running() -> Iterator[Installation]:
    """A running installation that is removed afterwards, also when this process is killed."""
    from tests.support.guardian import Guardian  # it imports this module

    root = scratch()
    guardian = Guardian(root)
    try:
        installation = describe(root)
        installation.up()
        yield installation
    finally:
        guardian.dismiss()
        shutil.rmtree(root, ignore_errors=True)


def instances() -> frozenset[str]:
    """What the names of kernel objects contain that installations of this process made."""
    return frozenset(_INSTANCES)


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
