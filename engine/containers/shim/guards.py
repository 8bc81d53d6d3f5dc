"""Kernel files that a container must not read or change: hidden, or made read-only.

They are what stands between root in a container and the host's kernel. So everything is done by descriptor, with a
/dev/null that was looked at before anything of the image lay in /dev (CVE-2025-31133), and the only excuse for not
hiding a path is that the kernel does not have it.
"""

from __future__ import annotations

import os
import stat

from engine.containers.shim import binds
from engine.errors import SystemFailure
from engine.kernel import libc

_NULL = os.makedev(1, 3)


def open_null() -> int:
    """/dev/null of the container; to be called while everything in /dev is our own."""
    fd = os.open("/dev/null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not is_null(fd):
        raise SystemFailure("/dev/null of the container is not the null device")
    return fd


def read_null() -> int | None:
    """/dev/null of a container, open for reading; None when something else is there. A FIFO is not waited for."""
    try:
        fd = os.open("/dev/null", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    if is_null(fd):
        return fd
    os.close(fd)
    return None


def is_null(fd: int) -> bool:
    """Whether it is the character device 1:3, whatever its name."""
    status = os.fstat(fd)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == _NULL


def make_read_only(path: str) -> bool:
    """With everything that is mounted below. False for a path that does not exist."""
    place = _open(path)
    if place is None:
        return False
    fd = binds.copy(place, recursive=True)
    libc.mount_setattr(fd, recursive=True, attr_set=libc.MOUNT_ATTR_RDONLY)
    libc.move_mount(fd, place)
    os.close(fd)
    os.close(place)
    if not os.statvfs(path).f_flag & os.ST_RDONLY:
        raise SystemFailure(f"{path} could not be made read-only")
    return True


def mask(path: str, null: int) -> bool:
    """Hide a file behind ``null`` and a directory behind an empty tmpfs. False for a path that does not exist."""
    place = _open(path)
    if place is None:
        return False
    if stat.S_ISDIR(os.fstat(place).st_mode):
        mount_on(place, "tmpfs", "tmpfs", libc.MS_RDONLY)
    else:
        fd = binds.copy(null)
        libc.move_mount(fd, place)
        os.close(fd)
    os.close(place)
    _require_masked(path)
    return True


def _require_masked(path: str) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    if not is_null(fd) and libc.file_system(fd) != libc.TMPFS_MAGIC:
        raise SystemFailure(f"{path} could not be masked")
    os.close(fd)


def _open(path: str) -> int | None:
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None


def mount_on(place: int, source: str, fstype: str, flags: int, data: str = "") -> None:
    """mount(2) of a new file system on a directory that is held open: it can be named only as the current one."""
    os.fchdir(place)
    libc.mount(source, ".", fstype, flags, data)
    os.chdir("/")
