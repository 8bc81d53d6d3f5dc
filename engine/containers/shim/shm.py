"""/dev/shm, where POSIX shared memory lives, of the host or of another container whose IPC namespace is shared.

No mount of a container exists on the host (decision 2), so another's is copied out of its mount namespace.
"""

from __future__ import annotations

import os
from typing import Any

from engine.containers.shim import binds, peers
from engine.errors import InvalidArgument
from engine.kernel import libc

_PATH = "/dev/shm"
_HARMLESS = libc.MOUNT_ATTR_NOSUID | libc.MOUNT_ATTR_NODEV | libc.MOUNT_ATTR_NOEXEC


def open_source(owner: Any) -> int | None:
    """A detached copy of the mount at /dev/shm, for this container to attach.

    ``owner`` is "host", the process of another container, or None when there is nothing to share.
    """
    if owner is None:
        return None
    if owner == "host":
        return _copy()
    theirs = peers.open_namespace(owner, "mnt")
    ours = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    libc.setns(theirs, libc.CLONE_NEWNS)
    try:
        return _copy()
    finally:
        libc.setns(ours, libc.CLONE_NEWNS)
        os.close(ours)
        os.close(theirs)


def _copy() -> int:
    """Only a tmpfs will do, and a container may not lead us elsewhere by a link."""
    try:
        place = libc.openat2(libc.AT_FDCWD, _PATH, os.O_PATH, resolve=libc.RESOLVE_NO_SYMLINKS)
        if libc.file_system(place) != libc.TMPFS_MAGIC:
            raise InvalidArgument(f"cannot share {_PATH}: it is not a tmpfs")
        fd = binds.copy(place)
        os.close(place)
    except OSError as error:
        raise InvalidArgument(f"cannot share {_PATH}: {(error.strerror or '').lower()}") from error
    libc.mount_setattr(fd, attr_set=_HARMLESS, propagation=libc.MS_PRIVATE)
    return fd


def attach(fd: int) -> None:
    """Mount it in the container's own /dev."""
    place = libc.openat2(libc.AT_FDCWD, "/dev", os.O_PATH | os.O_DIRECTORY, resolve=libc.RESOLVE_NO_SYMLINKS)
    os.mkdir("shm", 0o1777, dir_fd=place)
    libc.move_mount(fd, place, "shm")
    os.close(place)
    os.close(fd)
