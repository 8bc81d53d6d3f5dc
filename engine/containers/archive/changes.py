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
    below: os.stat_result | None  # what the image has at this path


def collect(target: Target) -> list[dict[str, Any]]:
    """Docker's list of changes, ``{"Path", "Kind"}``, sorted by path; for a child process that ends soon."""
    upper = os.open(target.directory / "upper", _DIRECTORY)
    enter_image(target)
    image = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    kinds: dict[str, int] = {}
    for found in _walk(upper, image):
        kind = _kind(found)
        if kind is not None:
            kinds[found.path] = kind
            _touch_parents(found.path, kinds)
    return [{"Path": f"/{printable(path)}", "Kind": kind} for path, kind in sorted(kinds.items())]


def _touch_parents(path: str, kinds: dict[str, int]) -> None:
    """A change inside a directory is shown as a change of the directory, too; one that is known has known parents."""
    while (path := posixpath.dirname(path)) and path not in kinds:
        kinds[path] = MODIFIED


def _walk(upper: int, image: int) -> Iterator[_Found]:
    """Everything below ``upper``. A running container may swap a directory for a link: links are not followed."""
    pending = [""]
    while pending:
        path = pending.pop()
        try:
            fd = libc.openat2(upper, path or ".", _DIRECTORY, resolve=_NO_LINKS)
        except OSError:
            continue
        below = _image_directory(image, path)
        try:
            for found in _entries(fd, path, below):
                if stat.S_ISDIR(found.status.st_mode):
                    pending.append(found.path)
                yield found
        finally:
            os.close(fd)
            if below is not None:
                os.close(below)


def _image_directory(image: int, path: str) -> int | None:
    """The same directory in the image. Where the image has a link on the way, the upper directory has replaced it."""
    try:
        return libc.openat2(image, path or ".", os.O_PATH | os.O_DIRECTORY, resolve=libc.RESOLVE_IN_ROOT)
    except OSError:
        return None


def _entries(fd: int, path: str, below: int | None) -> Iterator[_Found]:
    prefix = f"{path}/" if path else ""
    with os.scandir(fd) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
                opaque = stat.S_ISDIR(status.st_mode) and _is_opaque(fd, entry.name)
            except OSError:
                continue  # it vanished meanwhile
            yield _Found(prefix + entry.name, status, opaque, _lower(below, entry.name))


def _is_opaque(directory: int, name: str) -> bool:
    fd = os.open(name, _DIRECTORY, dir_fd=directory)
    try:
        return os.getxattr(fd, OVERLAY_OPAQUE) == b"y"
    except OSError:
        return False
    finally:
        os.close(fd)


def _lower(directory: int | None, name: str) -> os.stat_result | None:
    if directory is None:
        return None
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError:
        return None


def _kind(found: _Found) -> int | None:
    """None for what is no change: directories that overlayfs only copied up, and places for our mounts."""
    if stat.S_ISCHR(found.status.st_mode) and found.status.st_rdev == 0:
        return DELETED if found.below else None
    if found.path in _OURS and (stat.S_ISDIR(found.status.st_mode) or not found.status.st_size):
        return None
    if found.below is None:
        return ADDED
    return None if _same_directory(found, found.below) else MODIFIED


def _same_directory(found: _Found, below: os.stat_result) -> bool:
    upper = found.status
    if found.opaque or not (stat.S_ISDIR(upper.st_mode) and stat.S_ISDIR(below.st_mode)):
        return False
    if (upper.st_mode, upper.st_uid, upper.st_gid) != (below.st_mode, below.st_uid, below.st_gid):
        return False
    # Making the places for our files changes the time of /etc.
    return found.path == "etc" or upper.st_mtime_ns == below.st_mtime_ns
