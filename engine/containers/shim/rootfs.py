"""Builds a container's root file system, inside the container's own mount namespace.

Runs in the forked child that becomes the container. The order is the safety: sources of bind mounts are opened by
path while the host's tree is still in place; then the overlay becomes the root and the host's tree goes away; only
then are paths of the image resolved, so that no symlink in an image can name a file of the host. See pivot_root(2),
open_tree(2).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Any

from engine.errors import InvalidArgument, SystemFailure
from engine.kernel import libc

Plan = dict[str, Any]

_DEVICE_LINKS = (
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("/proc/kcore", "/dev/core"),
    ("pts/ptmx", "/dev/ptmx"),
)


def build(plan: Plan) -> None:
    """Make the root that ``plan`` describes, the ``root`` part of `engine.containers.spec`, and enter it."""
    # Nothing mounted from here on reaches the host; what the host mounts later reaches binds that ask for it.
    libc.mount("", "/", flags=libc.MS_REC | (libc.MS_SLAVE if plan["slave"] else libc.MS_PRIVATE))
    sources = [None if "type" in volume else _open_source(volume) for volume in plan["volumes"]]
    _enter_overlay(plan)
    for mount in plan["mounts"]:
        _mount(mount)
    _make_devices(plan["devices"])
    for volume, source in zip(plan["volumes"], sources, strict=True):
        if source is None:
            _mount(volume)
        else:
            _place_bind(volume, source)
    for path, value in plan["sysctls"].items():
        _write_sysctl(path, value)
    for path in plan["readonly_paths"]:
        _make_read_only(path)
    for path in plan["masked_paths"]:
        _mask(path)
    with contextlib.suppress(OSError):  # what is wrong with it is said when the process enters it
        make_target(plan["working_directory"], directory=True)
    _mark()
    if plan["read_only"]:
        _remount_root_read_only()


def _enter_overlay(plan: Plan) -> None:
    """Mount the overlay and make it the root.

    Layers are named relative to their store, because mount(2) takes no more than a page of options.
    """
    os.chdir(plan["layer_store"])
    lower = ":".join(plan["layers"])
    options = f"lowerdir={lower},upperdir={plan['upper']},workdir={plan['work']}"
    try:
        libc.mount("overlay", plan["mountpoint"], "overlay", 0, options)
    except OSError as error:
        raise SystemFailure(f"error mounting the overlay root of the container: {error.strerror}") from error
    os.chdir(plan["mountpoint"])
    libc.pivot_root(".", ".")
    # The old root lies over the new one now; detaching it leaves the new one (pivot_root(2), NOTES).
    libc.umount2(".", libc.MNT_DETACH)
    os.chdir("/")


def _open_source(bind: Plan) -> int:
    recursive = libc.AT_RECURSIVE if bind["recursive"] else 0
    flags = libc.OPEN_TREE_CLONE | libc.OPEN_TREE_CLOEXEC | recursive
    try:
        return libc.open_tree(libc.AT_FDCWD, bind["source"], flags)
    except OSError as error:
        text = f'error mounting "{bind["source"]}" to rootfs at "{bind["target"]}": {_reason(error)}'
        raise InvalidArgument(text) from error


def _place_bind(bind: Plan, fd: int) -> None:
    target = bind["target"]
    try:
        if bind["read_only"]:
            libc.mount_setattr(fd, recursive=bind["recursive"], attr_set=libc.MOUNT_ATTR_RDONLY)
        place = make_target(target, directory=stat.S_ISDIR(os.fstat(fd).st_mode))
        libc.move_mount(fd, libc.AT_FDCWD, place)
        libc.mount("", place, flags=bind["propagation"])
    except OSError as error:
        text = f'error mounting "{bind["source"]}" to rootfs at "{target}": {_reason(error)}'
        raise InvalidArgument(text) from error
    finally:
        os.close(fd)


def make_target(target: str, directory: bool) -> str:
    """Make the place for a mount when the image lacks it, and return its path with symlinks resolved.

    We are inside the root: a symlink of the image leads nowhere else.
    """
    target = os.path.realpath(target)
    if directory:
        os.makedirs(target, 0o755, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    return target


def _mount(mount: Plan) -> None:
    target = mount["target"]
    try:
        if os.path.islink(target) and mount["type"] in ("proc", "sysfs"):
            raise InvalidArgument(f'"{target}" in the image must be a directory, not a symbolic link')
        place = make_target(target, directory=True)
        libc.mount(mount["source"], place, mount["type"], mount["flags"], mount["data"])
    except OSError as error:
        if mount.get("optional"):
            return
        raise InvalidArgument(f'error mounting "{mount["type"]}" to rootfs at "{target}": {_reason(error)}') from error


def _make_devices(devices: list[list[Any]]) -> None:
    mask = os.umask(0)
    for path, mode, major, minor, uid, gid in devices:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        os.mknod(path, mode, os.makedev(major, minor))
        os.chown(path, uid, gid)
    os.umask(mask)
    for source, path in _DEVICE_LINKS:
        try:
            os.symlink(source, path)
        except FileExistsError:
            continue


def _write_sysctl(path: str, value: str) -> None:
    try:
        # The interpreter's library went away with the host's tree: only codecs that are loaded already can be named.
        with open(path, "w", encoding="utf-8") as file:
            file.write(value)
    except OSError as error:
        raise InvalidArgument(f"error writing sysctl {path}: {error.strerror}") from error


def _mark() -> None:
    """Make /.dockerenv, by which scripts tell that they run in a container."""
    with contextlib.suppress(OSError):
        os.close(os.open("/.dockerenv", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o755))


def _make_read_only(path: str) -> None:
    try:
        fd = libc.open_tree(libc.AT_FDCWD, path, libc.OPEN_TREE_CLONE | libc.OPEN_TREE_CLOEXEC | libc.AT_RECURSIVE)
    except FileNotFoundError:
        return
    libc.mount_setattr(fd, recursive=True, attr_set=libc.MOUNT_ATTR_RDONLY)
    libc.move_mount(fd, libc.AT_FDCWD, path)
    os.close(fd)


def _mask(path: str) -> None:
    """Hide a file behind /dev/null and a directory behind an empty read-only tmpfs."""
    try:
        libc.mount("/dev/null", path, flags=libc.MS_BIND)
    except OSError as error:
        if error.errno == errno.ENOTDIR:
            libc.mount("tmpfs", path, "tmpfs", libc.MS_RDONLY)
        elif error.errno != errno.ENOENT:
            raise


def _remount_root_read_only() -> None:
    libc.mount("", "/", flags=libc.MS_REMOUNT | libc.MS_BIND | libc.MS_RDONLY)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
