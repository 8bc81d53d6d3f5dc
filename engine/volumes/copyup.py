"""Copy-up: a volume that is empty when a container is created takes over what the image holds at its place.

The image's layers are mounted read-only by a short-lived child in a mount namespace of its own, so nothing appears in
the host's and nothing has to be undone. The path is resolved inside that root only (openat2(2), RESOLVE_IN_ROOT): a
symlink in an image cannot name a directory of the host.
"""

from __future__ import annotations

import fcntl
import os
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from engine.archives.trees import remove_tree
from engine.errors import SystemFailure
from engine.kernel import libc
from engine.volumes.tree import copy_tree

if TYPE_CHECKING:
    from pathlib import Path

    from engine.layout import Layout

_REPORT_SIZE = 64 * 1024


def copy_up(layout: Layout, name: str, layer_dirs: Sequence[str], target: str) -> None:
    """Fill the volume ``name`` from the directory ``target`` of an image, if it is empty and the image has one there.

    ``layer_dirs`` are the names of the image's layers below the layer store, topmost first. Owner, mode, times,
    extended attributes, hard links and holes are kept; the volume's own directory takes those of the image's. On
    failure the volume is empty again.
    """
    with ExitStack() as stack:
        fcntl.flock(_open(layout.volume(name).parent, stack), fcntl.LOCK_EX)  # two containers may share a new volume
        volume = _open(layout.volume(name), stack)
        if not layer_dirs or not _is_empty(volume):
            return
        try:
            _run_child(lambda: _fill(layout, name, volume, layer_dirs, target))
        except BaseException:
            remove_tree(layout.volume(name))
            layout.volume(name).mkdir(mode=0o755)
            raise


def _fill(layout: Layout, name: str, volume: int, layer_dirs: Sequence[str], target: str) -> None:
    """In the child: mount the image and copy."""
    root = _mount_image(layout, name, layer_dirs)
    try:
        source = libc.openat2(
            root, target, os.O_RDONLY | os.O_DIRECTORY, resolve=libc.RESOLVE_IN_ROOT | libc.RESOLVE_NO_MAGICLINKS
        )
    except (FileNotFoundError, NotADirectoryError):
        return  # the container's start makes the directory
    copy_tree(source, volume)


def _mount_image(layout: Layout, name: str, layer_dirs: Sequence[str]) -> int:
    """Mount the layers and return a descriptor of their root.

    A read-only overlay needs two lower layers, so an empty directory lies below the image's. It and the mount point are
    on a tmpfs that covers, in this namespace only, the volume's place.
    """
    libc.unshare(libc.CLONE_NEWNS)
    libc.mount("", "/", flags=libc.MS_REC | libc.MS_PRIVATE)
    scratch = layout.volume(name).parent
    libc.mount("tmpfs", os.fspath(scratch), "tmpfs", libc.MS_NOSUID | libc.MS_NODEV, "mode=700")
    empty, mountpoint = scratch / "empty", scratch / "image"
    empty.mkdir()
    mountpoint.mkdir()
    os.chdir(layout.images / "layers")  # names relative to the store: mount(2) takes one page of options
    lower = ":".join((*layer_dirs, os.fspath(empty)))
    libc.mount("overlay", os.fspath(mountpoint), "overlay", libc.MS_RDONLY, f"lowerdir={lower}")
    return os.open(mountpoint, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _run_child(work: Callable[[], None]) -> None:
    """Run ``work`` in a forked child and wait; its failure is raised here as SystemFailure."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os._exit(_report(work, writer))
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read(_REPORT_SIZE).decode(errors="replace")
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemFailure(f"failed to copy the image's content into the volume: {text or 'the copy was killed'}")


def _report(work: Callable[[], None], writer: int) -> int:
    """Exit status of the child; what went wrong goes down the pipe."""
    try:
        work()
    except OSError as error:
        os.write(writer, str(error).encode())
        return 1
    except BaseException:
        os.write(writer, traceback.format_exc().encode()[-_REPORT_SIZE:])
        return 1
    return 0


def _is_empty(directory: int) -> bool:
    with os.scandir(directory) as entries:
        return next(entries, None) is None


def _open(directory: Path, stack: ExitStack) -> int:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return descriptor
