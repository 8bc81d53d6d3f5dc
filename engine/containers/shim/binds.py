"""Binds and volumes of a container: opened by path in the host's tree, mounted by descriptor in the container's.

A bind that is ``shared`` belongs to the host's peer group (mount_namespaces(7)): what is mounted below it appears on
the host. So it comes last, when nothing more is mounted, and nothing of the container's own may lie in it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Any, NamedTuple

from engine.containers.shim import places
from engine.errors import InvalidArgument
from engine.kernel import libc, mountinfo

Step = dict[str, Any]


class Bind(NamedTuple):
    """A step of ``engine.containers.mounts`` and the mount that it asks for, attached nowhere yet."""

    step: Step
    fd: int

    @property
    def shared(self) -> bool:
        return bool(self.step["propagation"][0] == libc.MS_SHARED)


def open_source(step: Step) -> Bind:
    """Copy the source's mount with the propagation that the step asks for.

    The copy of a shared mount is its peer (mount_namespaces(7)), as long as the namespace has not been made private.
    """
    flag, recursive = step["propagation"]
    try:
        source = libc.open_tree(libc.AT_FDCWD, step["source"], libc.OPEN_TREE_CLOEXEC)
        if flag in (libc.MS_SHARED, libc.MS_SLAVE):
            _require_propagation(step["source"], mountinfo.of(source), slave=flag == libc.MS_SLAVE)
        fd = copy(source, recursive=step["recursive"])
        os.close(source)
        if step["read_only"]:
            libc.mount_setattr(fd, recursive=step["read_only"] == "recursive", attr_set=libc.MOUNT_ATTR_RDONLY)
        libc.mount_setattr(fd, recursive=recursive, propagation=flag)
    except OSError as error:
        raise refused(step, error) from error
    return Bind(step, fd)


def _require_propagation(path: str, mount: mountinfo.Mount, *, slave: bool) -> None:
    if not mount.shared and not (slave and mount.slave):
        kind = "shared or slave" if slave else "shared"
        raise InvalidArgument(f"path {path} is mounted on {mount.mount_point} but it is not a {kind} mount")


def copy(fd: int, *, recursive: bool = False) -> int:
    """A detached copy of the mount at ``fd``."""
    flags = libc.OPEN_TREE_CLONE | libc.OPEN_TREE_CLOEXEC | libc.AT_EMPTY_PATH
    return libc.open_tree(fd, "", flags | (libc.AT_RECURSIVE if recursive else 0))


def attach(bind: Bind) -> str:
    """Mount it where it belongs; returns the place, without links."""
    target = bind.step["target"]
    try:
        place = places.open_place(target, directory=stat.S_ISDIR(os.fstat(bind.fd).st_mode))
        places.require_allowed(place, target, source=bind.fd, is_bind=bind.step["kind"] == "bind")
        libc.move_mount(bind.fd, place)
        os.close(place)
        path = places.path_of(bind.fd)
    except (OSError, InvalidArgument) as error:
        raise refused(bind.step, error) from error
    os.close(bind.fd)
    return path


def attach_shared(bind: Bind, mounted: Iterable[str]) -> str:
    """The same for a shared one; ``mounted`` are the places that it may not cover."""
    place = places.open_place(bind.step["target"], directory=stat.S_ISDIR(os.fstat(bind.fd).st_mode))
    path = places.path_of(place)
    os.close(place)
    if inner := next((each for each in mounted if places.is_below(each, path)), None):
        error = InvalidArgument(f"{inner} of the container cannot lie in a mount that is shared with the host")
        raise refused(bind.step, error)
    return attach(bind)


def refused(step: Step, error: OSError | InvalidArgument) -> InvalidArgument:
    """The error of a mount in runc's words."""
    reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else error.message
    return InvalidArgument(f'error mounting "{step["source"]}" to rootfs at "{step["target"]}": {reason}')
