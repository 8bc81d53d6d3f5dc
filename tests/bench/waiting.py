"""``./muelle bench waiting [--clients N] [--kinds KIND…] [--running]``: what everybody else feels while many wait.

Opens clients that wait, in stop, wait, logs -f, events and attach; meanwhile measures ``_ping`` on a kept and on fresh
connections; lets all of them leave, and looks whether the web process is as it was before.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import socket
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.bench import engines
from tests.support import processes

if TYPE_CHECKING:
    from tests.bench.engines import Engine

CLIENTS = 2000
CONTAINERS = 20
PINGS = 500
PAUSE = 0.002
HEAD_SECONDS = 60.0
LEAVE_SECONDS = 30.0
# What a process keeps for the next time: connections of the pool's threads to database and broker.
SPARE_DESCRIPTORS = 16
POOL = 64

IGNORES_TERM = ("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"


class Kind(NamedTuple):
    """A way to wait. ``is_told``: an answer's head comes at once, so that one knows when the client is waiting."""

    method: str
    target: str
    is_told: bool = True
    upgrade: str = ""

    def request(self, container: str) -> bytes:
        return (
            f"{self.method} {self.target.format(container)} HTTP/1.1\r\nHost: docker\r\n{self.upgrade}\r\n"
        ).encode()


KINDS = {
    "events": Kind("GET", "/events"),
    "logs": Kind("GET", "/containers/{}/logs?follow=1&stdout=1&stderr=1"),
    "wait": Kind("POST", "/containers/{}/wait?condition=next-exit"),
    "attach": Kind(
        "POST", "/containers/{}/attach?stream=1&stdout=1&stderr=1", upgrade="Connection: Upgrade\r\nUpgrade: tcp\r\n"
    ),
    "stop": Kind("POST", "/containers/{}/stop?t=3600", is_told=False),
}


class Process(NamedTuple):
    """What a process holds."""

    descriptors: int
    threads: int
    memory: int  # bytes, resident

    @classmethod
    def of(cls, pid: int) -> Process:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return cls(descriptors, int(status["Threads"]), int(status["VmRSS"].split()[0]) * 1024)

    def is_back_at(self, before: Process) -> bool:
        """Threads of a pool are kept, and memory is kept by the allocator: that is only shown."""
        return self.descriptors <= before.descriptors + SPARE_DESCRIPTORS and self.threads <= before.threads + POOL

    def __str__(self) -> str:
        return f"{self.descriptors} descriptors, {self.threads} threads, {self.memory >> 20} MiB"


class Pings(NamedTuple):
    """Seconds, in ascending order."""

    kept: list[float]
    fresh: list[float]

    def __str__(self) -> str:
        return f"kept {_latency(self.kept)}, fresh {_latency(self.fresh)}"


class Report(NamedTuple):
    clients: int
    opened_in: float  # seconds
    alone: Pings
    waited_for: Pings
    before: Process
    during: Process
    after: Process

    @property
    def is_free(self) -> bool:
        return self.after.is_back_at(self.before)

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.clients} clients wait, opened in {self.opened_in:.1f} s",
                f"_ping alone:           {self.alone}",
                f"_ping while they wait: {self.waited_for}",
                f"web process before:    {self.before}",
                f"web process meanwhile: {self.during}",
                f"web process after:     {self.after}",
                "all is free again" if self.is_free else "NOT all is free again",
            ]
        )


def measure(path: Path, containers: Sequence[str], kinds: Sequence[str], clients: int) -> Report:
    """Open ``clients`` connections to the socket at ``path``, of all ``kinds`` and to all ``containers`` in turn."""
    allow_descriptors(clients)
    pid = processes.listening_at(path)
    alone = ping(path)
    before = Process.of(pid)
    with contextlib.ExitStack() as leaving:
        began = time.perf_counter()
        for number in range(clients):
            kind = KINDS[kinds[number % len(kinds)]]
            leaving.enter_context(_waiting(path, kind, containers[number // len(kinds) % len(containers)]))
        opened_in = time.perf_counter() - began
        waited_for = ping(path)
        during = Process.of(pid)
    after = _settled(pid, before)
    return Report(clients, opened_in, alone, waited_for, before, during, after)


def ping(path: Path) -> Pings:
    """PINGS times on a connection that stays and as often on one of its own each."""
    with _connected(path) as kept:
        return Pings(sorted(_ping(kept) for _ in range(PINGS)), sorted(_fresh_ping(path) for _ in range(PINGS)))


def allow_descriptors(clients: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < clients + 100:
        raise SystemExit(f"{clients} clients need more than the {hard} descriptors that are allowed")


@contextlib.contextmanager
def _waiting(path: Path, kind: Kind, container: str) -> Iterator[None]:
    with _connected(path) as sock:
        sock.sendall(kind.request(container))
        if kind.is_told:
            status = sock.recv(4096).split(b" ", 2)[1:2]
            if status not in ([b"200"], [b"101"]):
                raise AssertionError(f"{kind.target} answered {status}")
        yield


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(HEAD_SECONDS)
        sock.connect(str(path))
        yield sock


def _ping(sock: socket.socket) -> float:
    time.sleep(PAUSE)
    began = time.perf_counter()
    sock.sendall(PING)
    answer = sock.recv(4096)
    took = time.perf_counter() - began
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise AssertionError(f"_ping answered {answer!r}")
    return took


def _fresh_ping(path: Path) -> float:
    began = time.perf_counter()
    with _connected(path) as sock:
        connected = time.perf_counter() - began
        return connected + _ping(sock)


def _latency(seconds: Sequence[float]) -> str:
    ninety_ninth = seconds[len(seconds) * 99 // 100]
    return f"{statistics.median(seconds) * 1000:.2f} ms (p99 {ninety_ninth * 1000:.2f})"


def _settled(pid: int, before: Process) -> Process:
    deadline = time.monotonic() + LEAVE_SECONDS
    while not (now := Process.of(pid)).is_back_at(before) and time.monotonic() < deadline:
        time.sleep(0.1)
    return now


def of_engine(engine: Engine, kinds: Sequence[str], clients: int) -> Report:
    """Measure an engine on containers that are made for it, and removed."""
    containers = [engine.docker("run", "-d", engines.IMAGE, *IGNORES_TERM) for _ in range(CONTAINERS)]
    try:
        return measure(Path(engine.docker.host.removeprefix("unix://")), containers, kinds, clients)
    finally:
        engine.docker("rm", "-f", *containers, timeout=300)


def main(words: Sequence[str] | None = None) -> int:
    """Measure an installation; 1 when something was not free again."""
    parser = argparse.ArgumentParser(prog="muelle bench waiting", description=__doc__)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--running", action="store_true", help="measure the running installation, not a fresh one")
    options = parser.parse_args(words)
    with engines.ours(use_running=options.running) as engine:
        report = of_engine(engine, options.kinds, options.clients)
    print(report)
    return 0 if report.is_free else 1


if __name__ == "__main__":
    sys.exit(main())
