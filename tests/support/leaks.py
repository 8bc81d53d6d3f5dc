"""What the kernel holds, taken before and after, so that a test can tell what was left behind."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Snapshot = dict[str, frozenset[str]]
PATIENCE = 10.0
PAUSE = 0.1
CGROUPS = "/sys/fs/cgroup"


def snapshot() -> Snapshot:
    """Mounts, links, firewall tables, named network namespaces and cgroups of this namespace."""
    return {kind: frozenset(read()) for kind, read in READERS.items()}


def difference(before: Snapshot, after: Snapshot) -> dict[str, list[str]]:
    """What is there now and was not before, by kind; empty when nothing is."""
    grown = {kind: sorted(after[kind] - before[kind]) for kind in before}
    return {kind: names for kind, names in grown.items() if names}


def remaining(before: Snapshot, patience: float = PATIENCE) -> dict[str, list[str]]:
    """The difference after the kernel had time: it removes namespaces and their links when it gets round to it."""
    deadline = time.monotonic() + patience
    while (left := difference(before, snapshot())) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    return left


@contextmanager
def none() -> Iterator[None]:
    """Fail when the body leaves anything behind."""
    before = snapshot()
    yield
    left = remaining(before)
    assert not left, f"left behind: {left}"


def _mounts() -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        head, _, tail = line.partition(" - ")
        yield f"{head.split()[4]} ({tail.split()[0]})"


def _links() -> list[str]:
    return [path.name for path in Path("/sys/class/net").iterdir()]


def _tables() -> list[str]:
    listing = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False)
    return listing.stdout.splitlines()


def _namespaces() -> list[str]:
    return [path.name for path in Path("/run/netns").glob("*")]


def _cgroups() -> Iterator[str]:
    for directory, names, _ in os.walk(CGROUPS):
        yield from (os.path.join(directory, name) for name in names)  # noqa: PTH118 (thousands of them)


READERS: dict[str, Callable[[], Iterator[str] | list[str]]] = {
    "mounts": _mounts,
    "links": _links,
    "firewall tables": _tables,
    "network namespaces": _namespaces,
    "cgroups": _cgroups,
}
