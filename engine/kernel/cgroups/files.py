"""Reading and writing of cgroup files, with errors that name file and value."""

# Paths are plain strings because this runs on every start of a container.
# ruff: noqa: PTH106

from __future__ import annotations

import os
import time
from collections.abc import Callable

from engine.errors import SystemFailure

_PATIENCE = 2.0  # seconds
_PIECE = 16 * 1024


def write(directory: str, name: str, *values: str) -> None:
    """Write each value with its own write(2), as control files expect. Raises SystemFailure."""
    path = f"{directory}/{name}"
    value = ""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            for value in values:
                os.write(fd, value.encode())
        finally:
            os.close(fd)
    except OSError as error:
        text = (error.strerror or "").lower()
        raise SystemFailure(f'failed to write "{value}": write {path}: {text}') from error


def read(directory: str, name: str) -> str:
    """The content of a control file, stripped; empty when the file or the cgroup does not exist."""
    try:
        # open() would take four times as long: it asks for the file's kind and makes three objects around it.
        fd = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    content = b""
    try:
        while piece := os.read(fd, _PIECE):
            content += piece
    except OSError:  # ENODEV: the cgroup is being removed
        return ""
    finally:
        os.close(fd)
    return content.decode("ascii").strip()


def has(directory: str, name: str) -> bool:
    return os.access(f"{directory}/{name}", os.F_OK)


def counter(text: str, key: str) -> int:
    """The number beside ``key`` in a flat keyed file such as memory.events; 0 when it is not there."""
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0


def processes(directory: str) -> list[int]:
    """All processes of a cgroup and of those below it, which a container may have made itself."""
    found: list[int] = []
    for path, _, _ in os.walk(directory):
        found += map(int, read(path, "cgroup.procs").split())
    return found


def remove(directory: str) -> None:
    """Remove a cgroup and those below it; one that is not there is fine.

    A process that has just been reaped still counts for a moment (EBUSY), so it is tried again for two seconds.
    """
    deadline, pause = time.monotonic() + _PATIENCE, 0.0005
    while not _remove_once(directory):
        if time.monotonic() > deadline:
            raise SystemFailure(f"cannot remove cgroup {directory}: device or resource busy")
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def _remove_once(directory: str) -> bool:
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        return True
    except OSError:
        for path, names, _ in os.walk(directory, topdown=False):
            for name in names:
                _remove_leaf(f"{path}/{name}")
        return False
    return True


def _remove_leaf(directory: str) -> None:
    try:
        os.rmdir(directory)
    except OSError:
        return  # the caller's next round finds out


def wait_until(reached: Callable[[], bool], failure: str) -> None:
    """Poll a state that the kernel reaches within microseconds to milliseconds. Raises SystemFailure(failure)."""
    deadline, pause = time.monotonic() + _PATIENCE, 0.0001
    while not reached():
        if time.monotonic() > deadline:
            raise SystemFailure(failure)
        time.sleep(pause)
        pause = min(2 * pause, 0.02)
