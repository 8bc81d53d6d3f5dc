"""Questions that change nothing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from tests.bench.engines import Engine
from tests.bench.workloads.base import COMMAND_ENDS_WITHIN, Measure, Workload, create, request, running, timed

LISTED = 100
SHOWN = 10
CHANGED = 2000
CHANGE_FILES = f"mkdir /changed && cd /changed && for i in $(seq {CHANGED}); do echo $i > $i; done"


@contextlib.contextmanager
def inspect(engine: Engine) -> Iterator[Measure]:
    with running(engine) as (container,):
        yield lambda: 1000 * timed(engine, "inspect", container)


@contextlib.contextmanager
def ps(engine: Engine) -> Iterator[Measure]:
    with running(engine, SHOWN):
        yield lambda: 1000 * timed(engine, "ps")


@contextlib.contextmanager
def listing(engine: Engine) -> Iterator[Measure]:
    """One request on a connection that stays, as the panel and docker-py make it; the containers do not run."""
    containers = [create(engine, "true") for _ in range(LISTED)]
    connection = engine.api()

    def measure() -> float:
        started = time.perf_counter()
        listed = request(connection, "GET", "/containers/json?all=1")
        took = time.perf_counter() - started
        found = listed.count(b'"Id":"')
        if found < LISTED:
            raise AssertionError(f"{engine.name} listed {found} of {LISTED} containers")
        return 1000 * took

    try:
        yield measure
    finally:
        connection.close()
        engine.docker("rm", "-f", *containers, timeout=COMMAND_ENDS_WITHIN)


@contextlib.contextmanager
def diff(engine: Engine) -> Iterator[Measure]:
    container = create(engine, "sh", "-c", CHANGE_FILES)
    try:
        engine.docker("start", "-a", container)
        listed = engine.docker("diff", container).count("\nA /changed/")
        if listed != CHANGED:
            raise AssertionError(f"{engine.name} listed {listed} of {CHANGED} files")
        yield lambda: 1000 * timed(engine, "diff", container)
    finally:
        engine.docker("rm", "-f", container)


ROWS = [
    Workload("inspect", "docker inspect C", "ms", 1.0, inspect, runs=25),
    Workload("ps", f"docker ps, {SHOWN} containers", "ms", 1.0, ps, runs=25),
    Workload("list", f"GET /containers/json, {LISTED} containers", "ms", 0.6, listing, runs=50),
    Workload("diff", f"docker diff, {CHANGED} changed files", "ms", 1.0, diff, runs=15),
]
