"""Remove and measure directory trees that strangers made."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from engine.kernel import libc

_BATCH = 1 << 16  # names of a directory that are in memory at once
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path) -> None:
    """Remove the directory ``path`` and all below it; missing is fine."""
    try:
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        remove_tree_at(parent, path.name)
    except FileNotFoundError:
        if path.exists():
            raise
    finally:
        os.close(parent)


def remove_tree_at(parent: int, name: str) -> None:
    """Remove the directory ``name`` below the descriptor ``parent``, which is not followed if it is a link.

    A tree from an archive may be deeper than the interpreter's stack and than the limit of open files. So nothing
    recurses: a directory found further down is renamed to stand directly below ``name``, and has its turn there.
    """
    fresh = itertools.count()
    unique = uuid.uuid4().hex
    top = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        for child, is_directory in _remaining(top):
            if not is_directory:
                os.unlink(child, dir_fd=top)
                continue
            below = os.open(child, _DIRECTORY, dir_fd=top)
            try:
                for each, is_deeper in _remaining(below):
                    if is_deeper:
                        os.rename(each, f"{unique}.{next(fresh)}", src_dir_fd=below, dst_dir_fd=top)
                    else:
                        os.unlink(each, dir_fd=below)
            finally:
                os.close(below)
            os.rmdir(child, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def discard_tree(path: Path) -> None:
    """Remove what can be removed; what is left of the tree is somebody else's to find."""
    with suppress(OSError):
        remove_tree(path)


def tree_size(root: Path) -> int:
    """Bytes below a directory as Docker counts them: sizes of all but directories, each hard link once; missing is 0.

    Somebody may write there meanwhile: no symlink is followed, what vanishes is passed over, and directories nested
    deeper than a path can name (4096 bytes) are not counted.
    """
    seen: set[tuple[int, int]] = set()
    total = 0
    for status in _entries(root):
        if status.st_nlink > 1:  # the others are not remembered: there may be millions
            identity = (status.st_dev, status.st_ino)
            if identity in seen:
                continue
            seen.add(identity)
        total += status.st_size
    return total


def _entries(root: Path) -> Iterator[os.stat_result]:
    """lstat of everything below a directory that is no directory."""
    try:
        top = os.open(root, _DIRECTORY)
    except FileNotFoundError:
        return
    try:
        pending = ["."]
        while pending:
            with suppress(OSError):
                yield from _directory(top, pending.pop(), pending)
    finally:
        os.close(top)


def _directory(top: int, path: str, pending: list[str]) -> Iterator[os.stat_result]:
    descriptor = libc.openat2(top, path, _DIRECTORY, resolve=libc.RESOLVE_BENEATH | libc.RESOLVE_NO_SYMLINKS)
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{path}/{entry.name}")
                else:
                    yield entry.stat(follow_symlinks=False)
    finally:
        os.close(descriptor)


def _remaining(directory: int) -> Iterator[tuple[str, bool]]:
    """Names in a directory, and which are directories, until there are none; whoever is told a name removes it."""
    while True:
        with os.scandir(directory) as entries:
            batch = [(each.name, each.is_dir(follow_symlinks=False)) for each in itertools.islice(entries, _BATCH)]
        if not batch:
            return
        yield from batch
