"""Write a directory tree as a tar, as Docker does: sorted, numeric owners, hard links, file capabilities."""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

from engine.archives.reader import XATTR_PREFIX
from engine.archives.streams import Sink

_CAPABILITY = "security.capability"
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Of these reasons a file is left out: it vanished, or its path has more than PATH_MAX bytes.
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
_KINDS = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


class TreeWriter:
    """Writes files below the process's own root to ``sink``.

    The tree may change meanwhile, by a container that means harm: what vanished is left out, what shrank is filled up
    with zeros, and a directory that became a link is not followed. Sockets have no place in a tar and are left out, and
    so is what lies deeper than a path can say, as in Docker.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._names: dict[tuple[int, int], str] = {}

    def add_tree(self, path: str, name: str) -> None:
        """Add ``path``, under ``name``, and all below it. Raises FileNotFoundError when ``path`` itself vanished."""
        pending = [(path, name)]
        while pending:
            each, its_name = pending.pop()
            try:
                is_directory = self._add(each, its_name)
            except OSError as failure:
                if failure.errno not in _GONE:
                    raise
                if each == path:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from failure
                continue
            if is_directory:
                pending += reversed(list(children(each, its_name)))

    def finish(self) -> None:
        """Two zero blocks are the end of an archive."""
        self._sink.write(bytes(2 * tarfile.BLOCKSIZE))
        self._sink.flush()

    def _add(self, path: str, name: str) -> bool:
        """Add one file; True when it is a directory."""
        status = os.lstat(path)
        kind = stat.S_IFMT(status.st_mode)
        if kind not in _KINDS:
            return False
        header = _header(status, name)
        if kind == stat.S_IFREG:
            self._add_file(path, header, status)
            return False
        if kind == stat.S_IFLNK:
            header.linkname = str(Path(path).readlink())
        self._write_header(header)
        return kind == stat.S_IFDIR

    def _add_file(self, path: str, header: tarfile.TarInfo, status: os.stat_result) -> None:
        key = status.st_dev, status.st_ino
        if status.st_nlink > 1 and key in self._names:
            header.type, header.linkname, header.size = tarfile.LNKTYPE, self._names[key], 0
            self._write_header(header)
            return
        fd = os.open(path, _OPEN)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return
            if status.st_nlink > 1:
                self._names[key] = header.name
            _add_capability(fd, header)
            self._write_header(header)
            self._sink.copy(fd, header.size)
            self._sink.write(bytes(-header.size % tarfile.BLOCKSIZE))
        finally:
            os.close(fd)

    def _write_header(self, header: tarfile.TarInfo) -> None:
        self._sink.write(header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))


def children(path: str, name: str) -> Iterator[tuple[str, str]]:
    """Path and archive name of each file in a directory, sorted as Go's filepath.Walk does."""
    try:
        with os.scandir(path) as entries:
            names = sorted((entry.name for entry in entries), key=os.fsencode)
    except OSError as failure:
        if failure.errno not in _GONE:
            raise
        return
    for child in names:
        yield f"{path.rstrip('/')}/{child}", f"{name}/{child}" if name else child


def _header(status: os.stat_result, name: str) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type = _KINDS[stat.S_IFMT(status.st_mode)]
    header.mode = stat.S_IMODE(status.st_mode)
    header.uid, header.gid = status.st_uid, status.st_gid
    header.mtime = int(status.st_mtime)
    if header.type == tarfile.REGTYPE:
        header.size = status.st_size
    if header.type in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        header.devmajor, header.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return header


def _add_capability(fd: int, header: tarfile.TarInfo) -> None:
    try:
        value = os.getxattr(fd, _CAPABILITY)
    except OSError as failure:
        if failure.errno not in (errno.ENODATA, errno.ENOTSUP):
            raise
        return
    header.pax_headers = {XATTR_PREFIX + _CAPABILITY: value.decode("utf-8", "surrogateescape")}
