"""The engines under measurement: an installation of ours, and a dockerd of its own in a network namespace of its own.

dockerd rewrites the host's iptables and leaves the policy of FORWARD at DROP; in a namespace that does not matter, and
its containers are connected in the same way.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from install import memory, starter
from install.api import Api, ApiError
from install.settings import Settings
from install.supervisor import Supervisor
from tests.support.docker import Docker
from tests.support.installation import Installation, running

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = "busybox:latest"
DOCKERD_STARTS_WITHIN = 60.0
DOCKERD_STOPS_WITHIN = 30.0
PAUSE = 0.1


class Engine(NamedTuple):
    """One engine: where it listens, and how a program on its host reaches its published ports."""

    name: str
    docker: Docker
    host_prefix: tuple[str, ...]
    roots: tuple[int, ...]  # its daemons; what they started counts too, its containers do not

    def api(self, timeout: float = 120.0) -> Api:
        return Api(Path(self.docker.host.removeprefix("unix://")), timeout)

    def argv(self, *words: str) -> list[str]:
        return ["docker", *words]


@contextlib.contextmanager
def ours(*, use_running: bool) -> Iterator[Engine]:
    """A fresh installation, or the one that MUELLE_HOME and MUELLE_RUN name."""
    if use_running:
        settings = Settings.from_environment()
        yield _from_layout(settings, Docker(settings.docker_host, Path(tempfile.gettempdir())))
        return
    with running() as installation:
        yield _from_layout(_settings(installation), installation.docker())


@contextlib.contextmanager
def dockerd() -> Iterator[Engine | None]:
    """A dockerd with the same starter image; None where it is not installed."""
    program = shutil.which("dockerd")
    if program is None:
        yield None
        return
    with contextlib.ExitStack() as undo:
        root = Path(tempfile.mkdtemp(prefix="muelle-bench-"))
        undo.callback(shutil.rmtree, root, ignore_errors=True)
        namespace = undo.enter_context(_namespace(f"muelle-bench-{os.getpid()}"))
        process = undo.enter_context(_daemon(program, root, namespace))
        docker = Docker(f"unix://{root}/docker.sock", root / "config")
        engine = Engine("dockerd", docker, ("nsenter", f"--net={namespace}"), (process.pid,))
        _wait_for(engine, root / "log")
        docker("import", *_changes(), "-", IMAGE, stdin=starter.root_archive())
        yield engine


def service_memory(engine: Engine) -> int:
    """Bytes of PSS of an engine's daemons without its shims and containers."""
    pids = [pid for root in engine.roots for pid in memory.tree(root)]
    return memory.proportional([pid for pid in pids if "shim" not in _command(pid)])


def _settings(installation: Installation) -> Settings:
    return Settings(installation.layout, f"127.0.0.1:{installation.port}", "", "", "local")


def _from_layout(settings: Settings, docker: Docker) -> Engine:
    return Engine("muelle", docker, (), tuple(state.pid for state in Supervisor(settings).states()))


@contextlib.contextmanager
def _namespace(name: str) -> Iterator[Path]:
    """A named network namespace with its loopback link up."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield Path("/run/netns", name)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@contextlib.contextmanager
def _daemon(program: str, root: Path, namespace: Path) -> Iterator[subprocess.Popen[bytes]]:
    # nsenter, not "ip netns exec": that one mounts a new /sys, and the cgroups would be gone.
    argv = ["nsenter", f"--net={namespace}", program, "--host", f"unix://{root}/docker.sock"]
    argv += ["--data-root", f"{root}/data", "--exec-root", f"{root}/run", "--pidfile", f"{root}/pid"]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(DOCKERD_STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(engine: Engine, log: Path) -> None:
    deadline = time.monotonic() + DOCKERD_STARTS_WITHIN
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ApiError):
            engine.api().call("GET", "/_ping")
            return
        time.sleep(PAUSE)
    raise TimeoutError(f"dockerd does not answer:\n{log.read_text()[-2000:]}")


def _changes() -> list[str]:
    return [word for change in starter.CHANGES for word in ("--change", change)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
