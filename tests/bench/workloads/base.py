"""What a workload is, and what the families of workloads share."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.bench.engines import IMAGE, Engine

if TYPE_CHECKING:
    import http.client

MIB = 1 << 20
SLEEP = ("sleep", "100000")
RUNS = 9
COMMAND_ENDS_WITHIN = 600.0
_PIECE = 1 << 20

Measure = Callable[[], float]


class Workload(NamedTuple):
    """One row. ``prepare`` readies an engine once and hands back a function that takes one measurement.

    ``target`` bounds ours divided by theirs: from above, or from below where more is better. ``runs`` are the
    measurements on each engine.
    """

    name: str
    title: str
    unit: str  # "ms", "s", "MiB" or "requests/s"
    target: float | None
    prepare: Callable[[Engine], AbstractContextManager[Measure]]
    more_is_better: bool = False
    runs: int = RUNS


def timed(engine: Engine, *words: str, stdin: Path | None = None) -> float:
    """Seconds that the whole docker command took; CalledProcessError when it failed."""
    with (stdin or Path(os.devnull)).open("rb") as source:
        started = time.perf_counter()
        subprocess.run(
            engine.argv(*words),
            env=engine.docker.environment,
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
            timeout=COMMAND_ENDS_WITHIN,
        )
        return time.perf_counter() - started


def timed_output(engine: Engine, size: int, *words: str) -> float:
    """Seconds that a docker command took to print exactly ``size`` bytes and to end; AssertionError otherwise."""
    started = time.perf_counter()
    with subprocess.Popen(
        engine.argv(*words),
        env=engine.docker.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        delivered = 0
        while piece := os.read(process.stdout.fileno(), _PIECE):
            delivered += len(piece)
        status = process.wait()
    took = time.perf_counter() - started
    if delivered != size or status:
        raise AssertionError(f"{engine.name} delivered {delivered} of {size} bytes, status {status}")
    return took


def create(engine: Engine, *command: str) -> str:
    body: dict[str, Any] = {"Image": IMAGE, "Cmd": list(command)}
    return str(engine.api().json("POST", "/containers/create", body)["Id"])


@contextlib.contextmanager
def running(engine: Engine, count: int = 1, command: tuple[str, ...] = SLEEP) -> Iterator[list[str]]:
    """Containers that run ``command``, removed afterwards."""
    containers: list[str] = []
    try:
        containers += (engine.docker("run", "-d", IMAGE, *command) for _ in range(count))
        yield containers
    finally:
        engine.docker("rm", "-f", *containers, timeout=COMMAND_ENDS_WITHIN)


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """A place for large files on the disk."""
    with tempfile.TemporaryDirectory(prefix="muelle-bench-") as path:
        yield Path(path)


def random_file(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        for offset in range(0, size, _PIECE):
            file.write(os.urandom(min(_PIECE, size - offset)))
    return path


def request(connection: http.client.HTTPConnection, method: str, url: str) -> bytes:
    connection.request(method, url)
    response = connection.getresponse()
    data = response.read()
    if response.status >= 400:
        raise AssertionError(f"{method} {url}: {response.status} {data!r}")
    return data
