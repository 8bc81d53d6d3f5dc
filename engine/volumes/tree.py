"""Copies a directory tree between two descriptors, exactly and without ever leaving either of them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OVERLAY_ATTRIBUTES = "trusted.overlay."  # the overlay's own bookkeeping, meaningless elsewhere
_SEGMENT = 1 << 30


def copy_tree(source: int, target: int) -> None:
    """Copy what the directory ``source`` holds, and its own owner, mode, times and attributes, to the empty ``target``.

    OSError names the entry. Nobody else may write to either tree meanwhile.
    """
    _Copy(target).directory(source, target, "")


class _Copy:
    """One copy: remembers the first name of each file with several, to link the others to it."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._first_names: dict[tuple[int, int], str] = {}

    def directory(self, source: int, target: int, path: str) -> None:
        for name in os.listdir(source):
            self._entry(source, target, name, f"{path}{name}")
        _copy_metadata(source, target, os.fstat(source))

    def _entry(self, source: int, target: int, name: str, path: str) -> None:
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            self._subdirectory(source, target, name, path)
        elif not self._link(status, target, name, path):
            _copy_leaf(source, target, name, status)

    def _subdirectory(self, source: int, target: int, name: str, path: str) -> None:
        os.mkdir(name, 0o700, dir_fd=target)
        inner_source = os.open(name, _DIRECTORY, dir_fd=source)
        try:
            inner_target = os.open(name, _DIRECTORY, dir_fd=target)
            try:
                self.directory(inner_source, inner_target, f"{path}/")
            finally:
                os.close(inner_target)
        finally:
            os.close(inner_source)

    def _link(self, status: os.stat_result, target: int, name: str, path: str) -> bool:
        """Link to the copy of the same file under another name; False when this is the first name."""
        if status.st_nlink == 1:
            return False
        first = self._first_names.setdefault((status.st_dev, status.st_ino), path)
        if first == path:
            return False
        os.link(first, name, src_dir_fd=self._root, dst_dir_fd=target, follow_symlinks=False)
        return True


def _copy_leaf(source: int, target: int, name: str, status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        _copy_file(source, target, name, status)
        return
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    else:
        os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target)
    os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=target)  # mknod(2) obeys the umask
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=target, follow_symlinks=False)


def _copy_file(source: int, target: int, name: str, status: os.stat_result) -> None:
    reader = os.open(name, _READ, dir_fd=source)
    try:
        writer = os.open(name, _CREATE, 0o600, dir_fd=target)
        try:
            for offset, length in _data(reader, status.st_size):
                _copy_range(reader, writer, offset, length)
            os.ftruncate(writer, status.st_size)
            _copy_metadata(reader, writer, status)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _data(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Offset and length of the parts of a file that are not holes, lseek(2)."""
    offset = 0
    while offset < size:
        try:
            start = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole to the end
                return
            raise
        offset = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, offset - start


def _copy_range(reader: int, writer: int, offset: int, length: int) -> None:
    os.lseek(writer, offset, os.SEEK_SET)
    while length:
        sent = os.sendfile(writer, reader, offset, min(length, _SEGMENT))
        if sent == 0:
            raise OSError(errno.EIO, "the file became shorter while it was copied")
        offset += sent
        length -= sent


def _copy_metadata(source: int, target: int, status: os.stat_result) -> None:
    """Owner first: changing it clears set-user-ID bits and file capabilities, chown(2)."""
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    for attribute in os.listxattr(source):
        if not attribute.startswith(_OVERLAY_ATTRIBUTES):
            os.setxattr(target, attribute, os.getxattr(source, attribute))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
