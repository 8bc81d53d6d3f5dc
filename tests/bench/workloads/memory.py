"""What an engine keeps in memory while its containers idle, as proportional set size."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from install import memory
from tests.bench.engines import Engine, service_memory
from tests.bench.workloads.base import MIB, Measure, Workload, running

MANY = 10


@contextlib.contextmanager
def shims(engine: Engine, count: int) -> Iterator[Measure]:
    """The parents of idle containers' first processes, together: what they share counts once."""
    with running(engine, count) as containers:
        parents = [_parent(engine, container) for container in containers]
        yield lambda: memory.proportional(parents) / MIB


@contextlib.contextmanager
def services(engine: Engine) -> Iterator[Measure]:
    yield lambda: service_memory(engine) / MIB


def _parent(engine: Engine, container: str) -> int:
    pid = int(engine.docker("inspect", "--format", "{{.State.Pid}}", container))
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


ROWS = [
    Workload("shim", "memory (PSS) of an idle container's shim", "MiB", 0.5, lambda engine: shims(engine, 1), runs=3),
    Workload("shims", f"memory (PSS) of {MANY} idle shims", "MiB", 0.6, lambda engine: shims(engine, MANY), runs=3),
    Workload("services", "memory (PSS) of all services", "MiB", None, services, runs=3),
]
