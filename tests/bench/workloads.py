"""What is measured. A workload prepares an engine once and hands back a function that takes one measurement."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from install import memory
from tests.bench.engines import IMAGE, Engine, service_memory
from tests.bench.nginx import CONFIGURATION, IMAGE_NAME, archive
from tests.support.installation import free_port

if TYPE_CHECKING:
    import http.client

LINES = 1_000_000
PARALLEL_RUNS = 40
PARALLEL_CLIENTS = 8
LISTED = 100
SLEEP = ("sleep", "100000")
WRK = ("wrk", "--threads", "1", "--connections", "16", "--duration", "3s")
SERVES_WITHIN = 10.0

Measure = Callable[[], float]


class Workload(NamedTuple):
    """``target`` bounds ours divided by theirs: from above, or from below where more is better."""

    name: str
    title: str
    unit: str  # "ms", "s", "MiB" or "requests/s"
    target: float | None
    prepare: Callable[[Engine], AbstractContextManager[Measure]]
    more_is_better: bool = False
    runs: int = 9


@contextlib.contextmanager
def run(engine: Engine) -> Iterator[Measure]:
    yield lambda: 1000 * _timed(engine, "run", "--rm", IMAGE, "true")


@contextlib.contextmanager
def start(engine: Engine) -> Iterator[Measure]:
    """The API's start of a container that exists; creating and removing it is not measured."""

    def measure() -> float:
        container = _create(engine, "true")
        connection = engine.api()
        connection.connect()
        started = time.perf_counter()
        _request(connection, "POST", f"/containers/{container}/start")
        took = time.perf_counter() - started
        connection.close()
        engine.api().call("DELETE", f"/containers/{container}?force=1")
        return 1000 * took

    yield measure


@contextlib.contextmanager
def execute(engine: Engine) -> Iterator[Measure]:
    with _running(engine) as container:
        yield lambda: 1000 * _timed(engine, "exec", container, "true")


@contextlib.contextmanager
def parallel(engine: Engine) -> Iterator[Measure]:
    def measure() -> float:
        started = time.perf_counter()
        with ThreadPoolExecutor(PARALLEL_CLIENTS) as clients:
            list(clients.map(lambda _: _timed(engine, "run", "--rm", IMAGE, "true"), range(PARALLEL_RUNS)))
        return time.perf_counter() - started

    yield measure


@contextlib.contextmanager
def listing(engine: Engine) -> Iterator[Measure]:
    """One request on a connection that stays, as the panel and docker-py make it; the containers do not run."""
    containers = [_create(engine, "true") for _ in range(LISTED)]
    connection = engine.api()

    def measure() -> float:
        started = time.perf_counter()
        listed = _request(connection, "GET", "/containers/json?all=1")
        took = time.perf_counter() - started
        found = listed.count(b'"Id":"')
        if found < LISTED:
            raise AssertionError(f"{engine.name} listed {found} of {LISTED} containers")
        return 1000 * took

    try:
        yield measure
    finally:
        connection.close()
        engine.docker("rm", "-f", *containers, timeout=300)


@contextlib.contextmanager
def logs(engine: Engine) -> Iterator[Measure]:
    """A container that prints a million lines to an attached client; none may be lost."""

    def measure() -> float:
        started = time.perf_counter()
        result = engine.docker.run("run", "--rm", IMAGE, "seq", "1", str(LINES), timeout=300)
        took = time.perf_counter() - started
        output = result.stdout
        delivered = output.count(b"\n")
        if delivered != LINES or not output.endswith(b"\n%d\n" % LINES):
            raise AssertionError(f"{engine.name} delivered {delivered} of {LINES} lines, and said {result.stderr!r}")
        return took

    yield measure


@contextlib.contextmanager
def shim(engine: Engine) -> Iterator[Measure]:
    """The parent of an idle container's first process."""
    with _running(engine) as container:
        pid = int(engine.docker("inspect", "--format", "{{.State.Pid}}", container))
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        yield lambda: memory.proportional([parent]) / (1 << 20)


@contextlib.contextmanager
def services(engine: Engine) -> Iterator[Measure]:
    yield lambda: service_memory(engine) / (1 << 20)


@contextlib.contextmanager
def requests(engine: Engine) -> Iterator[Measure]:
    """Requests per second from nginx in a container through a port published on the loopback address."""
    port = free_port()
    engine.docker("import", "-", IMAGE_NAME, stdin=archive())
    words = ("run", "-d", "-p", f"127.0.0.1:{port}:80", IMAGE_NAME, "/usr/sbin/nginx", "-c", CONFIGURATION)
    container = engine.docker(*words)
    try:
        _wait_until_served(engine, port)
        yield lambda: _load(engine, port)
    finally:
        engine.docker("rm", "-f", container)
        engine.docker("rmi", IMAGE_NAME)


WORKLOADS = [
    Workload("run", "docker run --rm busybox true", "ms", 0.35, run, runs=15),
    Workload("start", "API start of a created container", "ms", 0.2, start, runs=15),
    Workload("exec", "docker exec C true", "ms", 0.6, execute, runs=15),
    Workload("parallel", "40 x docker run --rm, 8 at a time", "s", 0.5, parallel, runs=3),
    Workload("list", "GET /containers/json, 100 containers", "ms", 1.0, listing, runs=50),
    Workload("logs", "1 million log lines, attached", "s", 1.0, logs, runs=3),
    Workload("shim", "memory (PSS) of an idle container's shim", "MiB", 0.5, shim, runs=3),
    Workload("http", "nginx through 127.0.0.1:port", "requests/s", 1.5, requests, more_is_better=True, runs=5),
    Workload("services", "memory (PSS) of all services", "MiB", None, services, runs=3),
]


def _timed(engine: Engine, *words: str) -> float:
    """Seconds that the docker command took; CalledProcessError when it failed."""
    started = time.perf_counter()
    subprocess.run(
        engine.argv(*words),
        env=engine.docker.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
    )
    return time.perf_counter() - started


def _create(engine: Engine, *command: str) -> str:
    body: dict[str, Any] = {"Image": IMAGE, "Cmd": list(command)}
    return str(engine.api().json("POST", "/containers/create", body)["Id"])


@contextlib.contextmanager
def _running(engine: Engine) -> Iterator[str]:
    container = engine.docker("run", "-d", IMAGE, *SLEEP)
    try:
        yield container
    finally:
        engine.docker("rm", "-f", container)


def _request(connection: http.client.HTTPConnection, method: str, url: str) -> bytes:
    connection.request(method, url)
    response = connection.getresponse()
    data = response.read()
    if response.status >= 400:
        raise AssertionError(f"{method} {url}: {response.status} {data!r}")
    return data


def _wait_until_served(engine: Engine, port: int) -> None:
    deadline = time.monotonic() + SERVES_WITHIN
    probe = [*engine.host_prefix, "busybox", "wget", "-q", "-O", "-", f"http://127.0.0.1:{port}/"]
    while subprocess.run(probe, capture_output=True, check=False).returncode:
        if time.monotonic() > deadline:
            raise TimeoutError(f"nginx does not answer through {engine.name} on port {port}")
        time.sleep(0.1)


def _load(engine: Engine, port: int) -> float:
    argv = [*engine.host_prefix, *WRK, f"http://127.0.0.1:{port}/"]
    output = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s*([\d.]+)", output)
    if found is None or "Non-2xx" in output:
        raise AssertionError(f"wrk through {engine.name} printed:\n{output}")
    return float(found[1])
