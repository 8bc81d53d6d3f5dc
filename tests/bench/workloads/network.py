"""Requests to a server in a container."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator

from tests.bench.engines import Engine
from tests.bench.nginx import CONFIGURATION, IMAGE_NAME, archive
from tests.bench.workloads.base import Measure, Workload
from tests.support.installation import free_port

WRK = ("wrk", "--threads", "1", "--connections", "16", "--duration", "3s")
SERVES_WITHIN = 10.0


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


ROWS = [
    Workload("http", "nginx through 127.0.0.1:port", "requests/s", 1.5, requests, more_is_better=True, runs=5),
]
