"""Unpack a tar below a root: every kind of file, exact owners, modes, times and extended attributes.

The caller gives the policy: how whiteouts appear, what may be overwritten, whose the files become. The order of the
calls per file matters: chown(2) clears set-user-ID and file capabilities, so mode and attributes follow it.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from typing import NamedTuple

from engine.archives.limits import DEFAULT, Budget, Limits
from engine.archives.paths import IN_ROOT, Directories, clean
from engine.archives.reader import CHUNK, Entry, Readable, TarReader
from engine.archives.trees import remove_tree_at
from engine.errors import InvalidArgument, MuelleError, SystemFailure
from engine.kernel import libc

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# trusted.overlay.* would let an archive redirect directories of the overlay, so it is none of these.
_XATTRS = ("user.", "security.capability", "system.posix_acl_")
_WHITEOUT, _OPAQUE, _AUFS_MARK = ".wh.", ".wh..wh..opq", "/.wh..wh."
_MAX_NAME = 4096  # PATH_MAX; a header has room for a million
# Of holes, which cost nothing. The layers of an image together stay below what a database's integer holds.
_MAX_LOGICAL = 1 << 53
OVERLAY_OPAQUE = "trusted.overlay.opaque"
_SYSTEM_FAULTS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
)


class Policy(NamedTuple):
    """``base``: directory below the root that names are relative to; breaking out of it is refused, not clamped.

    ``whiteouts``: turn OCI whiteouts into overlayfs' form. ``unique``: refuse a name that occurs twice, as Docker does
    for layers. ``top``: the entry ``./`` describes the root, else it is passed over. ``owner``: (uid, gid) for
    everything instead of the archive's. ``keep_kind``: never replace a directory by something else or the reverse.
    """

    base: str = ""
    whiteouts: bool = False
    unique: bool = False
    top: bool = False
    owner: tuple[int, int] | None = None
    keep_kind: bool = False


class Extractor:
    """Unpacks entries below the directory ``root`` (a descriptor the caller keeps open)."""

    def __init__(self, root: int, policy: Policy, budget: Budget) -> None:
        self._root, self._policy, self._budget = root, policy, budget
        self._directories = Directories(root)
        # Hashes instead of names, which can be 4 KiB long. The interpreter's hash is keyed: nobody makes it collide.
        self._seen: set[int] = set()
        self._times: dict[str, int] = {}
        self._current = ""
        self.size = 0

    def extract(self, reader: TarReader) -> None:
        """Unpack everything. InvalidArgument when the archive is at fault, SystemFailure when the disk is.

        What was unpacked before an error stays: the caller owns the directory and drops it.
        """
        try:
            for entry in reader:
                self._budget.count()
                if max(len(entry.name), len(entry.linkname)) > _MAX_NAME:
                    raise InvalidArgument(f"open /{entry.name[:255]}…: file name too long")
                self._add(entry, reader)
            self._set_directory_times()
        except OSError as failure:
            raise self._explain(failure) from failure
        finally:
            self._directories.close()

    def _explain(self, failure: OSError) -> MuelleError:
        reason = os.strerror(failure.errno or errno.EIO).lower()
        if failure.errno in _SYSTEM_FAULTS:
            return SystemFailure(reason)
        return InvalidArgument(f"open /{self._current}: {reason}")

    def _add(self, entry: Entry, reader: TarReader) -> None:
        path = self._current = self._path(entry.name)
        if self._policy.unique:
            if hash(path) in self._seen:
                raise InvalidArgument("duplicates of file paths not supported")
            self._seen.add(hash(path))
        name = posixpath.basename(path)
        if path == self._policy.base:
            self._top(entry)
        elif self._policy.whiteouts and _AUFS_MARK in "/" + path:
            self._aufs_mark(path, name)
        elif self._policy.whiteouts and name.startswith(_WHITEOUT):
            self._whiteout(path, name.removeprefix(_WHITEOUT))
        else:
            self._make(path, name, entry, reader)

    def _path(self, name: str) -> str:
        base = self._policy.base
        path = clean(f"{base}/{name}")
        if base and path != base and not path.startswith(base + "/"):
            raise InvalidArgument(f'"{name}" is outside of "/{base}"')
        return path

    def _parent(self, path: str) -> int:
        return self._directories.get(posixpath.dirname(path))

    def _top(self, entry: Entry) -> None:
        """The entry ``./``."""
        if entry.kind != stat.S_IFDIR:
            raise InvalidArgument(
                f'cannot overwrite directory "/{self._policy.base}" with non-directory "{entry.name}"'
            )
        if self._policy.top:
            self._update_directory(self._root, ".", "", entry)

    def _make(self, path: str, name: str, entry: Entry, reader: TarReader) -> None:
        """Try to create first: nearly always the name is free."""
        try:
            self._create(self._parent(path), name, path, entry, reader)
        except FileExistsError:
            self._replace(path, name, entry, reader)

    def _replace(self, path: str, name: str, entry: Entry, reader: TarReader) -> None:
        parent = self._parent(path)
        present = os.stat(name, dir_fd=parent, follow_symlinks=False)
        is_directory = stat.S_ISDIR(present.st_mode)
        if is_directory and entry.kind == stat.S_IFDIR:
            self._update_directory(parent, name, path, entry)
            return
        if self._policy.keep_kind and is_directory != (entry.kind == stat.S_IFDIR):
            old, new = ("directory", "non-directory") if is_directory else ("non-directory", "directory")
            raise InvalidArgument(f'cannot overwrite {old} "/{path}" with {new} "/{self._policy.base}"')
        if is_directory:
            remove_tree_at(parent, name)
        else:
            os.unlink(name, dir_fd=parent)
        self._directories.forget()
        self._create(self._parent(path), name, path, entry, reader)
        if self._policy.whiteouts and entry.kind == stat.S_IFDIR and _is_whiteout(present):
            # The layer deletes the name below and makes it anew: nothing of the lower directory may shine through.
            self._set_opaque(path)

    def _create(self, parent: int, name: str, path: str, entry: Entry, reader: TarReader) -> None:
        kind = entry.kind
        if kind == stat.S_IFREG:
            self._file(parent, name, entry, reader)
        elif kind == stat.S_IFDIR:
            os.mkdir(name, 0o700, dir_fd=parent)
            self._update_directory(parent, name, path, entry)
        elif kind == stat.S_IFLNK:
            self._check_link(path, entry.linkname)
            os.symlink(entry.linkname, name, dir_fd=parent)
            self._finish_special(parent, name, entry)
        elif entry.is_hard_link:
            self._hard_link(parent, name, path, entry.linkname)
        else:
            os.mknod(name, kind | 0o600, os.makedev(entry.major, entry.minor), dir_fd=parent)
            self._finish_special(parent, name, entry)
            os.chmod(name, entry.mode, dir_fd=parent)

    def _file(self, parent: int, name: str, entry: Entry, reader: TarReader) -> None:
        fd = os.open(name, _CREATE, 0o600, dir_fd=parent)
        try:
            self._write(fd, entry, reader)
            self._finish(fd, entry)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        except BaseException:
            os.unlink(name, dir_fd=parent)  # no half of a file
            raise
        finally:
            os.close(fd)

    def _write(self, fd: int, entry: Entry, reader: TarReader) -> None:
        self.size += entry.size
        if self.size > _MAX_LOGICAL:
            raise InvalidArgument(f"archive unpacks to more than {_MAX_LOGICAL} bytes")
        if entry.sparse is None:
            for data in reader.chunks():
                self._put(fd, data)
            return
        for offset, length in entry.sparse:
            os.lseek(fd, offset, os.SEEK_SET)
            for size in _pieces(length):
                self._put(fd, reader.read(size))
        os.ftruncate(fd, entry.size)

    def _put(self, fd: int, data: bytes) -> None:
        self._budget.spend(len(data))
        written = os.write(fd, data)
        while written < len(data):
            written += os.write(fd, data[written:])

    def _finish(self, fd: int, entry: Entry) -> None:
        os.fchown(fd, *self._owner(entry))
        os.fchmod(fd, entry.mode)
        for key, value in entry.xattrs.items():
            if key.startswith(_XATTRS) and not key.startswith("user.overlay."):
                self._budget.spend(len(value))
                _set_attribute(fd, key, value)

    def _finish_special(self, parent: int, name: str, entry: Entry) -> None:
        os.chown(name, *self._owner(entry), dir_fd=parent, follow_symlinks=False)
        os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)

    def _owner(self, entry: Entry) -> tuple[int, int]:
        return self._policy.owner or (entry.uid, entry.gid)

    def _update_directory(self, parent: int, name: str, path: str, entry: Entry) -> None:
        fd = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            self._finish(fd, entry)
        finally:
            os.close(fd)
        self._budget.remember(path)
        self._times[path] = entry.mtime_ns

    def _set_directory_times(self) -> None:
        """Last, because every file made in a directory changed its time."""
        for path, mtime in self._times.items():
            self._current = path
            try:
                fd = libc.openat2(self._root, path or ".", _DIRECTORY, resolve=IN_ROOT)
            except (FileNotFoundError, NotADirectoryError):
                continue  # replaced by a later entry
            try:
                os.utime(fd, ns=(mtime, mtime))
            finally:
                os.close(fd)

    def _check_link(self, path: str, target: str) -> None:
        """Docker refuses to copy a relative link out of the target; a layer's links are clamped when followed."""
        base = self._policy.base
        if not base:
            return
        resolved = clean(f"{base}/{target}" if target.startswith("/") else f"{posixpath.dirname(path)}/{target}")
        if resolved != base and not resolved.startswith(base + "/"):
            raise InvalidArgument(f'invalid symlink "/{path}" -> "{target}"')

    def _hard_link(self, parent: int, name: str, path: str, linkname: str) -> None:
        try:
            target = self._path(linkname)
        except InvalidArgument:
            outside = clean(f"{self._policy.base}/{linkname}")
            raise InvalidArgument(f'invalid hardlink "/{outside}" -> "{linkname}"') from None
        above, _, last = target.rpartition("/")
        missing = InvalidArgument(f"link /{target} /{path}: no such file or directory")
        if not last:
            raise missing
        try:
            source = libc.openat2(self._root, above or ".", os.O_PATH | os.O_DIRECTORY, resolve=IN_ROOT)
        except FileNotFoundError:
            raise missing from None
        try:
            os.link(last, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            raise missing from None
        finally:
            os.close(source)

    def _whiteout(self, path: str, name: str) -> None:
        """overlayfs shows a character device 0/0 as "deleted" (Documentation/filesystems/overlayfs.rst)."""
        if name in ("", ".", ".."):
            raise InvalidArgument(f'invalid whiteout "/{path}"')
        try:
            os.mknod(name, stat.S_IFCHR, 0, dir_fd=self._parent(path))
        except FileExistsError:
            target = posixpath.join("/", posixpath.dirname(path), name)
            raise InvalidArgument(f'failed to mknod("{target}", S_IFCHR, 0): file exists') from None

    def _aufs_mark(self, path: str, name: str) -> None:
        """``.wh..wh..opq`` hides all of the directory below; the other marks were aufs' private files."""
        if name == _OPAQUE:
            self._directories.get(posixpath.dirname(path))
            self._set_opaque(posixpath.dirname(path))

    def _set_opaque(self, path: str) -> None:
        fd = libc.openat2(self._root, path or ".", _DIRECTORY, resolve=IN_ROOT)
        try:
            os.setxattr(fd, OVERLAY_OPAQUE, b"y")
        finally:
            os.close(fd)


def _is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _pieces(length: int) -> Iterator[int]:
    while length > 0:
        yield min(length, CHUNK)
        length -= CHUNK


def _set_attribute(fd: int, key: str, value: bytes) -> None:
    """File systems without extended attributes lose them, as in Docker."""
    try:
        os.setxattr(fd, key, value)
    except OSError as failure:
        if failure.errno not in (errno.ENOTSUP, errno.EPERM):
            raise


def extract(stream: Readable, root: int, policy: Policy, limits: Limits = DEFAULT) -> int:
    """Unpack the plain tar ``stream`` below the directory ``root``; returns the sum of the files' sizes in bytes."""
    extractor = Extractor(root, policy, Budget(root, limits))
    extractor.extract(TarReader(stream))
    return extractor.size
