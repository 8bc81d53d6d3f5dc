"""Builds a container's root file system, inside the container's own mount namespace.

Runs in the forked child that becomes the container. The order is the safety: sources of bind mounts are opened by
path while the host's tree is still in place; then the overlay becomes the root and the host's tree goes away; only
then are paths of the image resolved, so that no symlink in an image can name a file of the host. What is written to or
taken from /proc and /dev is used before volumes may lie there. See pivot_root(2), open_tree(2).
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Any

from engine.containers.shim import binds, devices, guards, places, procfs, shm
from engine.containers.shim.binds import Bind
from engine.errors import InvalidArgument, SystemFailure
from engine.kernel import libc

Plan = dict[str, Any]
Volume = tuple[Plan, Bind | None]  # a step, and the mount that it brings from the host


def build(plan: Plan) -> None:
    """Make the root that ``plan`` describes, the ``root`` part of `engine.containers.spec`, and enter it."""
    volumes = [(step, None if "type" in step else binds.open_source(step)) for step in plan["volumes"]]
    memory = shm.open_source(plan["shm"])
    # Nothing mounted from here on reaches the host.
    libc.mount("", "/", flags=libc.MS_REC | libc.MS_PRIVATE)
    _enter_overlay(plan)
    for mount in plan["mounts"]:
        _mount_kernel(mount)
    if memory is not None:
        shm.attach(memory)
    devices.make(plan["devices"])
    null = guards.open_null()
    for path, value in plan["sysctls"].items():
        _write_sysctl(path, value)
    _mount_users(plan, volumes, null)
    os.close(null)
    with contextlib.suppress(OSError):  # what is wrong with it is said when the process enters it
        os.close(places.open_place(plan["working_directory"], directory=True))
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


def _mount_users(plan: Plan, volumes: list[Volume], null: int) -> None:
    """Users' mounts, and what hides the kernel's files from whatever they brought.

    Mounts that are shared with the host come last, and cover nothing of the container's: it would appear on the host.
    """
    mounted = []
    shared = [bind for _, bind in volumes if bind and bind.shared]
    for step, bind in volumes:
        if bind is None:
            mounted.append(_mount_tmpfs(step))
        elif not bind.shared:
            mounted.append(binds.attach(bind))
    mounted += [path for path in plan["readonly_paths"] if guards.make_read_only(path)]
    mounted += [path for path in plan["masked_paths"] if guards.mask(path, null)]
    for bind in shared:
        mounted.append(binds.attach_shared(bind, mounted))


def _mount_kernel(mount: Plan) -> None:
    """A file system of the kernel's, exactly where it belongs: what the image leads astray is not followed."""
    target = mount["target"]
    try:
        place = places.open_place(target, directory=True, links=False)
        _mount_new(mount, place)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InvalidArgument(f'"{target}" in the image must be a directory, not a symbolic link') from error
        if not mount.get("optional"):
            raise binds.refused(mount, error) from error


def _mount_tmpfs(mount: Plan) -> str:
    """Returns the place, without links."""
    try:
        place = places.open_place(mount["target"], directory=True)
        places.require_allowed(place, mount["target"], source=None, is_bind=False)
        path = places.path_of(place)
        _mount_new(mount, place)
    except (OSError, InvalidArgument) as error:
        raise binds.refused(mount, error) from error
    return path


def _mount_new(mount: Plan, place: int) -> None:
    try:
        guards.mount_on(place, mount["source"], mount["type"], mount["flags"], mount["data"])
    finally:
        os.close(place)


def _write_sysctl(path: str, value: str) -> None:
    try:
        procfs.write(path, value)
    except OSError as error:
        raise InvalidArgument(f"error writing sysctl {path}: {error.strerror}") from error


def _mark() -> None:
    """Make /.dockerenv, by which scripts tell that they run in a container. A FIFO of the image's is not waited for."""
    flags = os.O_CREAT | os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        os.close(os.open("/.dockerenv", flags, 0o755))


def _remount_root_read_only() -> None:
    libc.mount("", "/", flags=libc.MS_REMOUNT | libc.MS_BIND | libc.MS_RDONLY)
