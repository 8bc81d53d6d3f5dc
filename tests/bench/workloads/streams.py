"""Bytes between a container's process and an attached client; none may be lost."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from tests.bench.engines import IMAGE, Engine
from tests.bench.workloads.base import MIB, Measure, Workload, directory, timed, timed_output

LINES = 1_000_000
ZEROS = 20  # MiB
UNLOGGED = 256  # MiB
TYPED = 300_000_000
# A hundred bytes with its newline, like what programs log.
LINE = b"127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] GET /index.html HTTP/1.1 200 612 - curl/7.88.1 0.000 123\n"
LINED = 200_000_000
PLACE = "/lines"


@contextlib.contextmanager
def numbers(engine: Engine) -> Iterator[Measure]:
    """A container that prints a million lines."""

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
def lines(engine: Engine) -> Iterator[Measure]:
    """Lines from a file, so that the program that prints them costs next to nothing."""
    with directory() as place:
        source = place / "lines"
        with source.open("wb") as file:
            for _ in range(LINED // len(LINE) // 1000):
                file.write(LINE * 1000)
        words = ("run", "--rm", "-v", f"{source}:{PLACE}:ro", IMAGE, "cat", PLACE)
        yield lambda: timed_output(engine, LINED, *words)


@contextlib.contextmanager
def zeros(engine: Engine) -> Iterator[Measure]:
    """Each zero byte becomes six in the log."""
    words = ("run", "--rm", IMAGE, *_zeros(ZEROS))
    yield lambda: timed_output(engine, ZEROS * MIB, *words)


@contextlib.contextmanager
def unlogged(engine: Engine) -> Iterator[Measure]:
    words = ("run", "--rm", "--log-driver", "none", IMAGE, *_zeros(UNLOGGED))
    yield lambda: timed_output(engine, UNLOGGED * MIB, *words)


@contextlib.contextmanager
def typed(engine: Engine) -> Iterator[Measure]:
    """A file on the standard input of the client."""
    with directory() as place:
        source = place / "input"
        with source.open("wb") as file:
            file.truncate(TYPED)
        yield lambda: timed(engine, "run", "--rm", "-i", IMAGE, "sh", "-c", "cat > /dev/null", stdin=source)


def _zeros(mebibytes: int) -> tuple[str, ...]:
    return ("dd", "if=/dev/zero", "bs=1M", f"count={mebibytes}")


ROWS = [
    Workload("logs", "1 million log lines, attached", "s", 1.0, numbers, runs=7),
    Workload("lines", "200 MB of lines, attached", "s", 0.35, lines, runs=7),
    Workload("zeros", f"{ZEROS} MiB of zero bytes, attached", "s", 1.0, zeros),
    Workload("unlogged", f"{UNLOGGED} MiB attached, without a log", "s", 0.8, unlogged),
    Workload("stdin", "300 MB of standard input", "s", 0.45, typed),
]
