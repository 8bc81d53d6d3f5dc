"""Show a container's files to a child process as its only file system.

The root is what the container has, without /proc, /sys, /dev and tmpfs: its overlay mounted anew when it does not run,
a copy of its root mount when it does. Volumes and binds lie on top. After pivot_root(2) no path and no symbolic link
names anything of the host, whatever a running container changes meanwhile. Device files cannot be opened here (nodev).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from engine.containers.config.mounts import Mount
from engine.containers.mounts import NETWORK_FILES, outer_first
from engine.containers.shim.places import open_place
from engine.errors import Conflict, InvalidArgument, SystemFailure
from engine.kernel import libc
from engine.kernel.processes import start_time
from engine.layout import Layout

_CLONE = libc.OPEN_TREE_CLONE | libc.OPEN_TREE_CLOEXEC
_SAFE = libc.MOUNT_ATTR_NODEV | libc.MOUNT_ATTR_NOSUID
_FLAGS = libc.MS_NODEV | libc.MS_NOSUID


class Target(NamedTuple):
    """A container whose files are wanted.

    ``pid`` and ``start_time`` are the running process's, as in ``engine.containers.runtime.State``; ``pid`` None means
    it does not run. ``layer_dirs``, top layer first, may be names below the store's ``layers``. ``read_only`` is
    HostConfig's ReadonlyRootfs, ``user`` Config's User. ``name`` is what the client called the container, for messages;
    empty for its ID.
    """

    layout: Layout
    container_id: str
    pid: int | None
    layer_dirs: list[str]
    mounts: list[Mount]
    read_only: bool = False
    name: str = ""
    start_time: int | None = None
    user: str = ""

    @property
    def directory(self) -> Path:
        return self.layout.container(self.container_id)

    @property
    def layers(self) -> list[Path]:
        return [self.layout.images / "layers" / each for each in self.layer_dirs]


def enter(target: Target, *, writable: bool = False, volumes: bool = True) -> None:
    """Make the view and enter it; only for a process that ends soon. ``volumes=False`` leaves mounts out (export)."""
    place = _new_namespace(target)
    binds = [(mount, _open_bind(mount)) for mount in _binds(target)] if volumes else []
    if target.pid is not None:
        _pivot(_move_root(target, place))
    else:
        _pivot(_mount_overlay(target, place, writable))
    for mount, fd in binds:
        _place(mount, fd)


def enter_image(target: Target) -> None:
    """Like ``enter``, but only the image's layers, without what the container changed."""
    _pivot(_overlay(_new_namespace(target), target.layers, None))


def _new_namespace(target: Target) -> Path:
    """Returns the directory to mount on, which the container's own root uses in its namespace, too."""
    libc.unshare(libc.CLONE_NEWNS)
    libc.mount("", "/", flags=libc.MS_REC | libc.MS_PRIVATE)
    place = target.directory / "root"
    place.mkdir(mode=0o755, exist_ok=True)
    return place


def _binds(target: Target) -> list[Mount]:
    """Volumes, binds and our own three files, outer directories first. A user's mount wins over a file of ours."""
    files = {path: target.directory / name for path, name in NETWORK_FILES.items()}
    present = {path: file for path, file in files.items() if file.exists()}
    return outer_first((mount for mount in target.mounts if mount.type != "tmpfs"), present)


def _open_bind(mount: Mount) -> int:
    """Opened by path while the host's files are still in sight."""
    try:
        fd = libc.open_tree(libc.AT_FDCWD, mount.source, _CLONE | (libc.AT_RECURSIVE if mount.recursive else 0))
    except OSError as failure:
        raise _cannot_mount(mount, failure) from failure
    libc.mount_setattr(
        fd, recursive=mount.recursive, attr_set=_SAFE | (libc.MOUNT_ATTR_RDONLY if mount.read_only else 0)
    )
    return fd


def _cannot_mount(mount: Mount, failure: OSError) -> InvalidArgument:
    """Named by what the client knows: a volume's directory is the host's."""
    return InvalidArgument(f"cannot mount {mount.name or mount.type} at {mount.target}: {failure.strerror}")


def _place(mount: Mount, fd: int) -> None:
    """Inside the view already: a link of the image that stands at ``mount.target`` leads nowhere else."""
    try:
        place = open_place(mount.target, directory=stat.S_ISDIR(os.fstat(fd).st_mode))
        libc.move_mount(fd, place)
        os.close(place)
    except OSError as failure:
        raise _cannot_mount(mount, failure) from failure
    finally:
        os.close(fd)


def _move_root(target: Target, place: Path) -> Path:
    """Put a copy of the running container's root mount, without what is mounted on it, at ``place``."""
    tree = _running_root(target)
    libc.mount_setattr(tree, attr_set=_SAFE)
    libc.move_mount(tree, libc.AT_FDCWD, str(place))
    os.close(tree)
    return place


def _running_root(target: Target) -> int:
    gone = Conflict(f"container {target.container_id} is not running")
    namespaces = "/proc/self/ns/mnt", f"/proc/{target.pid}/ns/mnt"
    try:
        ours, theirs = (os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in namespaces)
    except OSError:
        raise gone from None
    # The identity is checked after opening: from here on the descriptor, not the number, names the namespace.
    if target.start_time is None or start_time(target.pid or 0) != target.start_time:
        raise gone
    libc.setns(theirs, libc.CLONE_NEWNS)
    tree = libc.open_tree(libc.AT_FDCWD, "/", _CLONE)
    libc.setns(ours, libc.CLONE_NEWNS)
    return tree


def _mount_overlay(target: Target, place: Path, writable: bool) -> Path:
    """For reading, the container's own layer is one more lower directory below an upper one in memory: so its overlay
    is never mounted twice, even when the container is started meanwhile, and places for volumes can be made."""
    upper = target.directory / "upper"
    if writable:
        for name in ("upper", "work"):
            (target.directory / name).mkdir(mode=0o755, exist_ok=True)
        return _overlay(place, target.layers, upper)
    return _overlay(place, [*([upper] if upper.exists() else []), *target.layers], None)


def _overlay(place: Path, lower: list[Path], upper: Path | None) -> Path:
    """Mount below ``place``; without ``upper``, changes go to memory and end with the view."""
    libc.mount("tmpfs", str(place), "tmpfs", _FLAGS, "mode=700")
    view, empty, scratch, work = (place / name for name in ("view", "empty", "upper", "work"))
    for directory in (view, empty, scratch, work):
        directory.mkdir(mode=0o755)
    paths = lower or [empty]
    if upper is None:
        _copy_root(paths[0], scratch)
        upper = scratch
    # Names relative to the lowest layer's directory: mount(2) takes no more than a page of options.
    store = paths[-1].parent
    os.chdir(store)
    names = ":".join(path.name if path.parent == store else str(path) for path in paths)
    options = f"lowerdir={names},upperdir={upper},workdir={upper.parent / 'work'}"
    try:
        libc.mount("overlay", str(view), "overlay", _FLAGS, options)
    except OSError as failure:
        raise SystemFailure(f"error mounting the overlay of the container: {failure.strerror}") from failure
    return view


def _copy_root(source: Path, target: Path) -> None:
    """The upper directory's owner, mode and time are what the view shows of the root."""
    status = source.stat()
    os.chown(target, status.st_uid, status.st_gid)
    target.chmod(stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _pivot(root: Path) -> None:
    """Make ``root`` all there is (pivot_root(2), NOTES)."""
    os.chdir(root)
    libc.pivot_root(".", ".")
    libc.umount2(".", libc.MNT_DETACH)
    os.chdir("/")
