"""What a container changed, read from the upper directory of its overlay (Documentation/filesystems/overlayfs.rst)."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple

from engine.archives.extraction import OVERLAY_OPAQUE
from engine.containers.archive.child import printable
from engine.containers.archive.view import Target, enter_image
from engine.kernel import libc

MODIFIED, ADDED, DELETED = 0, 1, 2

_NO_LINKS = libc.RESOLVE_IN_ROOT | libc.RESOLVE_NO_SYMLINKS
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Places for our own mounts. Docker keeps them in a layer below the container's, so they are nobody's change.
_OURS = frozenset({
    "dev", "dev/console", "dev/mqueue", "dev/pts", "dev/shm", "proc", "sys",
    ".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf",
})  # fmt: skip


class _Found(NamedTuple):
    path: str
    status: os.stat_result
    opaque: bool


def collect(target: Target) -> list[dict[str, Any]]:
    """Docker's list of changes, ``{"Path", "Kind"}``, sorted by path; for a child process that ends soon."""
    upper = os.open(target.directory / "upper", _DIRECTORY)
    enter_image(target)
    image = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    kinds: dict[str, int] = {}
    for found in _walk(upper):
        kind = _kind(found, _lower(image, found.path))
        if kind is None:
            continue
        kinds[found.path] = kind
        _touch_parents(found.path, kinds)
    return [{"Path": f"/{printable(path)}", "Kind": kind} for path, kind in sorted(kinds.items())]


def _touch_parents(path: str, kinds: dict[str, int]) -> None:
    """A change inside a directory is shown as a change of the directory, too."""
    while path := posixpath.dirname(path):
        kinds.setdefault(path, MODIFIED)


def _walk(upper: int) -> Iterator[_Found]:
    """Everything below ``upper``. A running container may swap a directory for a link: links are not followed."""
    pending = [""]
    while pending:
        path = pending.pop()
        try:
            fd = libc.openat2(upper, path or ".", _DIRECTORY, resolve=_NO_LINKS)
        except OSError:
            continue
        try:
            with os.scandir(fd) as entries:
                names = sorted(entry.name for entry in entries)
            for found in filter(None, [_look(fd, posixpath.join(path, name)) for name in names]):
                if stat.S_ISDIR(found.status.st_mode):
                    pending.append(found.path)
                yield found
        finally:
            os.close(fd)


def _look(directory: int, path: str) -> _Found | None:
    name = posixpath.basename(path)
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        opaque = stat.S_ISDIR(status.st_mode) and _is_opaque(directory, name)
    except OSError:
        return None  # it vanished meanwhile
    return _Found(path, status, opaque)


def _is_opaque(directory: int, name: str) -> bool:
    fd = os.open(name, _DIRECTORY, dir_fd=directory)
    try:
        return os.getxattr(fd, OVERLAY_OPAQUE) == b"y"
    except OSError:
        return False
    finally:
        os.close(fd)


def _lower(image: int, path: str) -> os.stat_result | None:
    """The same path in the image. Where the image has a link on the way, the upper directory has replaced it."""
    try:
        fd = libc.openat2(image, path, os.O_PATH | os.O_NOFOLLOW, resolve=libc.RESOLVE_IN_ROOT)
    except OSError:
        return None
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def _kind(found: _Found, below: os.stat_result | None) -> int | None:
    """None for what is no change: directories that overlayfs only copied up, and places for our mounts."""
    if stat.S_ISCHR(found.status.st_mode) and found.status.st_rdev == 0:
        return DELETED if below else None
    if found.path in _OURS and (stat.S_ISDIR(found.status.st_mode) or not found.status.st_size):
        return None
    if below is None:
        return ADDED
    return None if _same_directory(found, below) else MODIFIED


def _same_directory(found: _Found, below: os.stat_result) -> bool:
    upper = found.status
    if found.opaque or not (stat.S_ISDIR(upper.st_mode) and stat.S_ISDIR(below.st_mode)):
        return False
    if (upper.st_mode, upper.st_uid, upper.st_gid) != (below.st_mode, below.st_uid, below.st_gid):
        return False
    # Making the places for our files changes the time of /etc.
    return found.path == "etc" or upper.st_mtime_ns == below.st_mtime_ns
