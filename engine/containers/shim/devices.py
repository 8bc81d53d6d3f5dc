"""Device nodes of a container, made before anything of the image's or of a user's may lie in /dev."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from typing import Any

from engine.containers.shim import places
from engine.errors import InvalidArgument

_LINKS = (
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("/proc/kcore", "/dev/core"),
    ("pts/ptmx", "/dev/ptmx"),
)


def make(devices: Iterable[list[Any]]) -> None:
    """Make nodes from (path, mode with type, major, minor, uid, gid), and the usual links."""
    mask = os.umask(0)
    directories: dict[str, int] = {}
    for path, mode, major, minor, uid, gid in devices:
        directory, name = os.path.split(os.path.normpath(path))
        try:
            if directory not in directories:
                directories[directory] = places.open_place(directory, directory=True)
            _make_node(directories[directory], name, mode, os.makedev(major, minor))
            os.chown(name, uid, gid, dir_fd=directories[directory], follow_symlinks=False)
        except OSError as error:
            raise InvalidArgument(f'error creating device "{path}": {(error.strerror or "").lower()}') from error
    for fd in directories.values():
        os.close(fd)
    os.umask(mask)
    for source, path in _LINKS:
        with contextlib.suppress(FileExistsError):
            os.symlink(source, path)


def _make_node(directory: int, name: str, mode: int, device: int) -> None:
    """Outside /dev it may be there from the last start; nobody's link is followed."""
    try:
        os.mknod(name, mode, device, dir_fd=directory)
    except FileExistsError:
        if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            raise
        os.unlink(name, dir_fd=directory)
        os.mknod(name, mode, device, dir_fd=directory)
