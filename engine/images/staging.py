"""Private directories where an image is put together before it is moved into the store.

Each is locked with flock(2) by the process that works in it. A killed process loses its locks, so whoever opens the
store next can tell an abandoned directory from one in use.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.archives.trees import remove_tree


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the exclusive lock of ``directory`` itself."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextmanager
def staging(area: Path) -> Iterator[Path]:
    """A new directory below ``area``, removed with all that is still in it."""
    path = area / uuid.uuid4().hex
    with locked(area):
        path.mkdir(mode=0o700)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield path
    finally:
        remove_tree(path)
        os.close(fd)


def sweep(area: Path) -> None:
    """Remove what killed processes left below ``area``."""
    if not any(area.iterdir()):
        return
    with locked(area):
        for path in sorted(area.iterdir()):
            _remove_abandoned(path)


def _remove_abandoned(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_tree(path)
    except BlockingIOError:
        pass
    finally:
        os.close(fd)
