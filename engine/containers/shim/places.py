"""Where a mount of a container lands: a path of the image, resolved once to a descriptor, and judged by what that is.

Everything here runs inside the container's root, where a link leads nowhere else. But a container that shares a volume
may change links in it at any moment (CVE-2021-30465), so no path is looked up twice: the place is opened, looked at and
mounted upon by descriptor.
"""

from __future__ import annotations

import os
from typing import NoReturn

from engine.errors import InvalidArgument
from engine.kernel import libc

_PROC_ROOT_INODE = 1  # PROC_ROOT_INO of the kernel
# What runc lets lxcfs and its like replace; everything else below /proc would hide or fake the kernel's files.
_REPLACEABLE = frozenset({
    "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime", "/proc/loadavg",
    "/proc/slabinfo", "/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled",
})  # fmt: skip


def open_place(target: str, *, directory: bool, links: bool = True) -> int:
    """Open the place for a mount, which is made when the image lacks it; O_PATH.

    ``links`` says whether the image may lead to it by symbolic links. Raises OSError; ELOOP for a link that may not be
    or that has just appeared.
    """
    names = [name for name in (os.path.realpath(target) if links else target).split("/") if name]
    place = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for position, name in enumerate(names, 1):
        parent = place
        try:
            place = _step(parent, name, directory=directory or position < len(names))
        finally:
            os.close(parent)
    return place


def _step(parent: int, name: str, *, directory: bool) -> int:
    try:
        return _open(parent, name)
    except FileNotFoundError:
        _make(parent, name, directory=directory)
        return _open(parent, name)


def _open(parent: int, name: str) -> int:
    return libc.openat2(parent, name, os.O_PATH, resolve=libc.RESOLVE_NO_SYMLINKS)


def _make(parent: int, name: str, *, directory: bool) -> None:
    try:
        if directory:
            os.mkdir(name, 0o755, dir_fd=parent)
        else:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o644, dir_fd=parent))
    except FileExistsError:
        return  # somebody who shares the volume was faster


def path_of(fd: int) -> str:
    """Where a descriptor lies in the container. The container's own /proc must be mounted."""
    return os.readlink(f"/proc/self/fd/{fd}")


def is_below(path: str, directory: str) -> bool:
    """Whether ``path`` is ``directory`` or in it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def require_allowed(place: int, target: str, *, source: int | None, is_bind: bool) -> None:
    """Refuse a user's or an image's mount that would hide what the kernel shows, by a rule stricter than runc's.

    Nothing lands on the root or in /proc, but for files that lxcfs replaces and a procfs on /proc itself. Below /sys
    only a bind does, and only where it was asked for by name. ``source`` is the mount, None for a new tmpfs.
    """
    path = path_of(place)
    if path == "/":
        _refuse(target, "it leads to the root of the container")
    if path == "/proc":
        if source is None or not _is_proc(source):
            _refuse(target, "it is not of type proc")
    elif is_below(path, "/proc") and (path not in _REPLACEABLE or path != target):
        _refuse(target, "it is inside /proc")
    if is_below(path, "/sys") and not (is_bind and path == target):
        _refuse(target, "it is inside /sys")


def _is_proc(source: int) -> bool:
    return libc.file_system(source) == libc.PROC_SUPER_MAGIC and os.fstat(source).st_ino == _PROC_ROOT_INODE


def _refuse(target: str, reason: str) -> NoReturn:
    raise InvalidArgument(f'"{target}" cannot be mounted because {reason}')
