"""Remove directory trees that strangers made."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


def remove_tree(path: Path) -> None:
    """Remove the directory ``path`` and all below it; missing is fine.

    A tree from an archive may be deeper than the interpreter's stack and than the limit of open files. So nothing
    recurses: a directory found further down is first renamed to stand directly below ``path``.
    """
    try:
        top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        unique = uuid.uuid4().hex
        names = (f"{unique}.{number}" for number in itertools.count())
        pending = _empty(top, ".", names)
        while pending:
            name = pending.pop()
            pending += _empty(top, name, names)
            os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    path.rmdir()


def _empty(top: int, name: str, names: Iterator[str]) -> list[str]:
    """Unlink the files of a directory and move its subdirectories below ``top``; returns their new names."""
    moved = []
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
    try:
        with os.scandir(fd) as entries:
            content = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for child, is_directory in content:
            if not is_directory:
                os.unlink(child, dir_fd=fd)
                continue
            fresh = next(names)
            os.rename(child, fresh, src_dir_fd=fd, dst_dir_fd=top)
            moved.append(fresh)
    finally:
        os.close(fd)
    return moved
