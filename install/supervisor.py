"""The supervisor of the services: starting it, asking it, stopping it, and finding what it left when it was killed."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import signal
import time
import xmlrpc.client
from pathlib import Path
from typing import Any, NamedTuple

from install import procfile, stamps
from install.api import UnixConnection
from install.environment import PYTHON
from install.settings import CHECKOUT, Settings
from install.steps import capture

SOURCES = ("engine", "controlpanel")
ACTIVE = ("STARTING", "RUNNING", "BACKOFF", "STOPPING")
STOP_TIMEOUT = 30.0
PAUSE = 0.05
KILL_AFTER = 5.0


class ServiceState(NamedTuple):
    name: str
    state: str  # supervisord's word: RUNNING, STARTING, BACKOFF, EXITED, FATAL, STOPPED
    pid: int
    seconds: int  # since it was started


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return UnixConnection(self._path, STOP_TIMEOUT)


class Supervisor:
    """supervisord for one installation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._directory = settings.layout.services
        # The host part is not looked at: the transport connects to a UNIX socket.
        transport = _Transport(self._directory / "supervisor.sock")
        self._api = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport).supervisor

    def running(self) -> bool:
        try:
            self._api.getState()
        except (OSError, http.client.HTTPException):
            return False
        return True

    def states(self) -> list[ServiceState]:
        """All services; empty when the supervisor does not run."""
        if not self.running():
            return []
        found: Any = self._api.getAllProcessInfo()
        return [
            ServiceState(one["name"], one["statename"], one["pid"], max(0, one["now"] - one["start"])) for one in found
        ]

    def current(self) -> bool:
        """Whether what runs was started from these sources, settings and packages."""
        return stamps.unchanged(self._directory / "started.from", self._fingerprint())

    def start(self) -> None:
        self._stop_strays()
        configuration = self._directory / "supervisord.conf"
        configuration.write_text(procfile.configuration(self._settings))
        capture([PYTHON, "-m", "supervisor.supervisord", "-c", configuration], self._settings.environment())
        stamps.record(self._directory / "started.from", self._fingerprint())

    def stop(self) -> bool:
        """Stop the services and the supervisor; False when nothing ran."""
        ran = self.running()
        if ran:
            # Others need the broker until they have ended.
            self._stop_together(self._active() - {"broker", "launcher"})
            self._stop_together(self._active())
            pid = int(self._api.getPID())  # type: ignore[arg-type]
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._api.shutdown()
            _wait_gone(pid, STOP_TIMEOUT)
        return self._stop_strays() or ran

    def _stop_together(self, names: set[str]) -> None:
        """Stop these at once; supervisord's own shutdown waits for one after the other."""
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):  # it ended by itself
                self._api.stopProcess(name, False)
        deadline = time.monotonic() + STOP_TIMEOUT
        # Asking keeps supervisord awake: left alone it looks at its processes once a second.
        while time.monotonic() < deadline and names & self._active():
            time.sleep(PAUSE)

    def _active(self) -> set[str]:
        return {state.name for state in self.states() if state.state in ACTIVE}

    def _fingerprint(self) -> str:
        files = [path for name in SOURCES for path in (CHECKOUT / name).rglob("*.py")]
        installed = sorted(CHECKOUT.glob(".venv/*.installed"))
        words = [f"{name}={value}" for name, value in sorted(self._settings.environment().items())]
        return stamps.digest([*files, *installed, procfile.PROCFILE], *words)

    def _stop_strays(self) -> bool:
        """Stop services whose supervisor was killed; pid files name them, their environment proves them ours."""
        strays = [pid for path in self._directory.glob("*.pid") if (pid := self._stray(path))]
        for pid in strays:
            _signal(pid, signal.SIGTERM)
        for pid in strays:
            if not _wait_gone(pid, KILL_AFTER):
                _signal(pid, signal.SIGKILL)
                _wait_gone(pid, KILL_AFTER)
        for path in self._directory.glob("*.pid"):
            path.unlink(missing_ok=True)
        return bool(strays)

    def _stray(self, path: Path) -> int | None:
        """The process that a pid file names, if it is still one of this installation's."""
        try:
            pid = int(path.read_text())
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if f"MUELLE_RUN={self._settings.layout.run}".encode() in environment else None


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait_gone(pid: int, timeout: float) -> bool:
    """Whether a process that need not be a child of ours ended in time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], timeout)[0])
    finally:
        os.close(descriptor)
