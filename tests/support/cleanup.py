"""Removing an installation from the machine altogether, whatever state it is in: after a test, also a killed one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.layout import Layout

CGROUPS = Path("/sys/fs/cgroup")
PATIENCE = 10.0
PAUSE = 0.05


def purge(layout: Layout) -> None:
    """Kill its processes, remove its cgroups, links, firewall table, mounts and files. May be called again."""
    deadline = time.monotonic() + PATIENCE
    while (pids := processes(layout)) and time.monotonic() < deadline:
        _thaw(layout)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE)
    _remove_cgroups(layout, deadline)
    _quietly("ip", "link", "delete", layout.bridge)
    _quietly("nft", "delete", "table", "ip", layout.firewall_table)
    for point in _mounts_below(layout.home, layout.run):
        _quietly("umount", "--lazy", point)
    for directory in (layout.home, layout.run):
        shutil.rmtree(directory, ignore_errors=True)


def processes(layout: Layout) -> set[int]:
    """Its services and shims, known by environment or arguments, and its containers, known by their cgroup."""
    mark, broker = f"MUELLE_RUN={layout.run}".encode(), str(layout.broker_socket).encode()
    ours = {int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if mark in _words(path)}
    # A server that writes its title over its environment has lost the mark.
    ours |= {
        int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if broker in b" ".join(_words(path))
    }
    for directory in cgroups(layout):
        ours |= {int(word) for word in _text(directory / "cgroup.procs").split()}
    return ours - {os.getpid(), 0}


def cgroups(layout: Layout) -> list[Path]:
    """Its directories in every hierarchy, the deepest first."""
    name = layout.cgroup_parent.strip("/")
    roots = {path.resolve() for path in [*CGROUPS.glob(f"*/{name}"), CGROUPS / name] if path.is_dir()}
    found = [Path(directory) for root in roots for directory, _, _ in os.walk(root)]
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def _thaw(layout: Layout) -> None:
    """A frozen process does not take its SIGKILL (cgroup v1)."""
    for directory in cgroups(layout):
        for name, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
            with contextlib.suppress(OSError):
                if (directory / name).exists():
                    (directory / name).write_text(value)


def _remove_cgroups(layout: Layout, deadline: float) -> None:
    while (found := cgroups(layout)) and time.monotonic() < deadline:
        for directory in found:
            with contextlib.suppress(OSError):
                directory.rmdir()
        time.sleep(PAUSE)


def _mounts_below(*directories: Path) -> Iterator[str]:
    for line in reversed(_text(Path("/proc/self/mountinfo")).splitlines()):
        point = line.split()[4]
        if any(Path(point).is_relative_to(directory) for directory in directories):
            yield point


def _quietly(*argv: str) -> None:
    subprocess.run(argv, capture_output=True, check=False)


def _words(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\0")
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
