"""Files of a container as archives: ``docker cp`` both ways, ``export`` and ``diff``.

Every operation runs in a short-lived child that has entered the container's files (`engine.containers.archive.view`):
plain path look-ups there end inside the container. Running, stopped and never started containers are all the same here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import stat as file_types
from typing import Any

from engine import rfc3339
from engine.archives.compression import plain
from engine.archives.extraction import Policy, extract
from engine.archives.streams import Sink, source
from engine.archives.writer import TreeWriter, children
from engine.containers.archive import changes as archive_changes
from engine.containers.archive import child as archive_child
from engine.containers.archive.child import printable
from engine.containers.archive.view import Target, enter
from engine.containers.shim.users import lookup
from engine.errors import InvalidArgument, MuelleError, NotFound, SystemFailure

__all__ = ["Target", "changes", "export", "get", "put", "stat"]

DEFAULT_SECONDS = 3600.0
STAT_SECONDS = 60.0
_PIECE = 1 << 20

# Bits of Go's os.FileMode, which Docker's clients decode.
_GO_TYPES = {
    file_types.S_IFDIR: 1 << 31,
    file_types.S_IFLNK: 1 << 27,
    file_types.S_IFBLK: 1 << 26,
    file_types.S_IFCHR: 1 << 26 | 1 << 21,
    file_types.S_IFIFO: 1 << 25,
    file_types.S_IFSOCK: 1 << 24,
}
_GO_BITS = {file_types.S_ISUID: 1 << 23, file_types.S_ISGID: 1 << 22, file_types.S_ISVTX: 1 << 20}


def stat(target: Target, path: str, timeout: float = STAT_SECONDS) -> dict[str, Any]:
    """Docker's ``{"name", "size", "mode", "mtime", "linkTarget"}``; ``mode`` as Go has it, ``linkTarget`` resolved.

    NotFound with Docker's text; InvalidArgument when a file is used as a directory.
    """

    def work() -> dict[str, Any]:
        enter(target)
        return _stat(target, path)

    answer: dict[str, Any] = archive_child.run(work, timeout)
    return answer


def get(target: Target, path: str, out: int, timeout: float = DEFAULT_SECONDS) -> dict[str, Any]:
    """Write ``path`` as a tar to the descriptor ``out``; returns what ``stat`` does. Errors come before a byte.

    A symbolic link itself is sent, not its target, unless ``path`` ends in a slash. Unavailable when nobody reads.
    """

    def work() -> dict[str, Any]:
        enter(target)
        answer = _stat(target, path)
        inside = _inside(path)
        writer = TreeWriter(Sink(out))
        try:
            writer.add_tree(inside, _archive_name(inside))
        except FileNotFoundError as failure:
            raise _explain(failure, target, path) from None  # an empty archive would look like a copy that worked
        writer.finish()
        return answer

    answer: dict[str, Any] = archive_child.run(work, timeout, out)
    return answer


def put(
    target: Target,
    path: str,
    stream: int,
    no_overwrite_dir_non_dir: bool = False,
    copy_uid_gid: bool = False,
    timeout: float = DEFAULT_SECONDS,
) -> None:
    """Unpack the tar, perhaps compressed, that the descriptor ``stream`` gives into the directory ``path``.

    ``copy_uid_gid`` gives everything to the container's user instead of the archive's owners, as in Docker.
    NotFound for a missing path, InvalidArgument for a file, a read-only root and a read-only volume; SystemFailure with
    Docker's texts for a bad archive, because Docker answers 500 to it. What was unpacked before an error stays.
    """

    def work() -> None:
        enter(target, writable=True)
        destination = _destination(target, path)
        owner = lookup(target.user)[:2] if copy_uid_gid and target.user else None
        policy = Policy(base=destination.lstrip("/"), owner=owner, keep_kind=no_overwrite_dir_non_dir)
        _unpack(stream, policy)

    archive_child.run(work, timeout)


def export(target: Target, out: int, timeout: float = DEFAULT_SECONDS) -> None:
    """Write the whole root file system, without volumes and other mounts, as a tar to the descriptor ``out``."""

    def work() -> None:
        enter(target, volumes=False)
        writer = TreeWriter(Sink(out))
        for path, name in children("/", ""):
            with contextlib.suppress(FileNotFoundError):
                writer.add_tree(path, name)
        writer.finish()

    archive_child.run(work, timeout, out)


def changes(target: Target, timeout: float = STAT_SECONDS) -> list[dict[str, Any]]:
    """Docker's list of ``{"Path", "Kind"}`` (0 modified, 1 added, 2 deleted) against the image, sorted by path."""
    answer: list[dict[str, Any]] = archive_child.run(lambda: archive_changes.collect(target), timeout)
    return answer


def _inside(path: str) -> str:
    """``path`` from the root and without ``..``; a trailing slash or ``/.`` stays, it says "follow"."""
    if "\0" in path:
        raise InvalidArgument("invalid argument")
    # normpath keeps two leading slashes, as POSIX allows.
    cleaned = posixpath.normpath("/" + path.lstrip("/"))
    if path.endswith("/.") or path == ".":
        return posixpath.join(cleaned, ".")
    return posixpath.join(cleaned, "") if path.endswith("/") else cleaned


def _archive_name(inside: str) -> str:
    """The name of the archive's top: the last part, ``.`` for ``dir/.``, and nothing for the root, as Docker has it."""
    if inside.endswith("/."):
        return "."
    return posixpath.basename(inside.rstrip("/"))


def _explain(failure: OSError, target: Target, path: str) -> MuelleError:
    if failure.errno == errno.ENOENT:
        return NotFound(f"Could not find the file {path} in container {target.name or target.container_id}")
    reason = os.strerror(failure.errno or errno.EIO).lower()
    if failure.errno in (errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
        return InvalidArgument(reason)
    return SystemFailure(f"lstat {path}: {reason}")


def _stat(target: Target, path: str) -> dict[str, Any]:
    inside = _inside(path)
    try:
        status = os.lstat(inside)
    except OSError as failure:
        raise _explain(failure, target, path) from failure
    is_link = file_types.S_ISLNK(status.st_mode)
    return {
        "name": printable(_base(inside)),
        "size": status.st_size,
        "mode": go_mode(status.st_mode),
        "mtime": rfc3339.render(status.st_mtime_ns),
        "linkTarget": printable(os.path.realpath(inside)) if is_link else "",
    }


def _base(inside: str) -> str:
    """Go's filepath.Base."""
    return posixpath.basename(inside.rstrip("/")) or "/"


def go_mode(mode: int) -> int:
    """The bits of Go's os.FileMode for a ``st_mode``."""
    bits = sum(theirs for ours, theirs in _GO_BITS.items() if mode & ours)
    return mode & 0o777 | bits | _GO_TYPES.get(file_types.S_IFMT(mode), 0)


def _destination(target: Target, path: str) -> str:
    """The directory that ``path`` leads to with all links followed; it must be one that may be written."""
    try:
        destination = os.path.realpath(_inside(path), strict=True)
        status = os.lstat(destination)
    except OSError as failure:
        raise _explain(failure, target, path) from failure
    if not file_types.S_ISDIR(status.st_mode):
        raise InvalidArgument("extraction point is not a directory")
    above = [each for each in target.mounts if _is_below(destination, each.target)]
    mount = max(above, key=lambda each: len(posixpath.normpath(each.target)), default=None)
    if mount and mount.read_only:
        raise InvalidArgument("mounted volume is marked read-only")
    if mount is None and target.read_only:
        raise InvalidArgument("container rootfs is marked read-only")
    return destination


def _is_below(path: str, directory: str) -> bool:
    top = posixpath.normpath(directory)
    return path == top or path.startswith(top.rstrip("/") + "/")


def _unpack(stream: int, policy: Policy) -> None:
    archive = source(stream)
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        extract(plain(archive).stream, root, policy)
    except InvalidArgument as failure:
        raise SystemFailure(failure.message) from failure
    # Padding after the end mark: a client that still writes must not see a broken pipe.
    while archive.read(_PIECE):
        pass
