"""Making containers run, and processes in them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.bench.engines import IMAGE, Engine
from tests.bench.workloads.base import Measure, Workload, create, request, running, timed

PARALLEL_RUNS = 40
PARALLEL_CLIENTS = 8
# Ends at once when it is told to: a first process without a handler would be killed only after ten seconds.
OBEDIENT = ("sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait")


@contextlib.contextmanager
def run(engine: Engine) -> Iterator[Measure]:
    yield lambda: 1000 * timed(engine, "run", "--rm", IMAGE, "true")


@contextlib.contextmanager
def start(engine: Engine) -> Iterator[Measure]:
    """The API's start of a container that exists; creating and removing it is not measured."""

    def measure() -> float:
        container = create(engine, "true")
        connection = engine.api()
        connection.connect()
        started = time.perf_counter()
        request(connection, "POST", f"/containers/{container}/start")
        took = time.perf_counter() - started
        connection.close()
        engine.api().call("DELETE", f"/containers/{container}?force=1")
        return 1000 * took

    yield measure


@contextlib.contextmanager
def stop_and_start(engine: Engine) -> Iterator[Measure]:
    with running(engine, command=OBEDIENT) as (container,):
        yield lambda: 1000 * (timed(engine, "stop", container) + timed(engine, "start", container))


@contextlib.contextmanager
def execute(engine: Engine) -> Iterator[Measure]:
    with running(engine) as (container,):
        yield lambda: 1000 * timed(engine, "exec", container, "true")


@contextlib.contextmanager
def parallel(engine: Engine) -> Iterator[Measure]:
    def measure() -> float:
        started = time.perf_counter()
        with ThreadPoolExecutor(PARALLEL_CLIENTS) as clients:
            list(clients.map(lambda _: timed(engine, "run", "--rm", IMAGE, "true"), range(PARALLEL_RUNS)))
        return time.perf_counter() - started

    yield measure


ROWS = [
    Workload("run", "docker run --rm busybox true", "ms", 0.35, run, runs=15),
    Workload("start", "API start of a created container", "ms", 0.2, start, runs=15),
    Workload("restart", "docker stop C, docker start C", "ms", 0.25, stop_and_start),
    Workload("exec", "docker exec C true", "ms", 0.5, execute, runs=15),
    Workload("parallel", "40 x docker run --rm, 8 at a time", "s", 0.5, parallel, runs=3),
]
