"""A strict streaming tar reader: ustar, GNU and PAX, sparse files included.

The standard library's ``tarfile`` is not used for reading: it takes a damaged header for the end of the archive, so
half a file system would look whole, and it reads extended headers of any size into memory. Errors carry the texts of
Go's archive/tar, which Docker shows.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from engine.archives import sparse
from engine.archives.headers import (
    BLOCK,
    HEADER,
    check_sum,
    invalid_header,
    number,
    pax_number,
    pax_records,
    pax_text,
    pax_time,
    text,
)
from engine.archives.limits import MAX_HEADER
from engine.errors import InvalidArgument

CHUNK = 1 << 20
XATTR_PREFIX = "SCHILY.xattr."

_KINDS = {
    b"0": stat.S_IFREG,
    b"\0": stat.S_IFREG,
    b"7": stat.S_IFREG,
    b"S": stat.S_IFREG,
    b"2": stat.S_IFLNK,
    b"3": stat.S_IFCHR,
    b"4": stat.S_IFBLK,
    b"5": stat.S_IFDIR,
    b"6": stat.S_IFIFO,
}
_EXTENSIONS = b"xgLK"
_MAJORS, _MINORS = 1 << 12, 1 << 20  # Linux' device numbers, makedev(3)


class Readable(Protocol):
    """Anything with a blocking ``read``; it may return fewer bytes than asked for."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(slots=True)
class Entry:
    """One member. ``kind`` is a file type of stat(2), 0 for a hard link; ``size`` counts logical bytes."""

    name: str
    kind: int
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    linkname: str
    major: int = 0
    minor: int = 0
    xattrs: dict[str, bytes] = field(default_factory=dict)
    sparse: sparse.SparseMap | None = None

    @property
    def is_hard_link(self) -> bool:
        return self.kind == 0


class TarReader:
    """Iterate over the entries; ``read`` and ``chunks`` give the stored bytes of the current one."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._left = self._padding = 0
        self._header = b""
        self._pax: dict[str, bytes] = {}

    def __iter__(self) -> Iterator[Entry]:
        while (entry := self._next()) is not None:
            yield entry

    def read(self, size: int) -> bytes:
        """Exactly ``min(size, what is left)`` bytes; InvalidArgument when the archive ends early."""
        data = self._exactly(min(size, self._left))
        self._left -= len(data)
        return data

    def chunks(self) -> Iterator[bytes]:
        while self._left:
            yield self.read(CHUNK)

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size) if size else b""
        if len(data) == size:
            return data
        pieces, left = [data], size - len(data)
        while left:
            more = self._stream.read(left)
            if not more:
                raise InvalidArgument("unexpected EOF")
            pieces.append(more)
            left -= len(more)
        return b"".join(pieces)

    def _next(self) -> Entry | None:
        """Collect extension headers up to the next real one; unknown data in between is never skipped silently."""
        extensions: dict[bytes, bytes] = {}
        while (block := self._next_block()) is not None:
            kind, size = block[156:157], number(block[124:136])
            if kind not in _EXTENSIONS:
                return self._entry(block, extensions)
            if size < 0 or size > MAX_HEADER:
                raise InvalidArgument("archive/tar: header field too long")
            self._left, self._padding = size, -size % BLOCK
            extensions[kind] = self.read(size)
        if extensions:
            raise InvalidArgument("unexpected EOF")
        return None

    def _next_block(self) -> bytes | None:
        """The next header; None at the end mark (two zero blocks) or where the file ends on a border."""
        self._skip()
        block = self._stream.read(BLOCK)
        if not block:
            return None
        if len(block) < BLOCK:
            block += self._exactly(BLOCK - len(block))
        if not block.strip(b"\0"):
            second = self._stream.read(BLOCK)
            if second.strip(b"\0"):
                raise invalid_header()
            return None
        check_sum(block)
        return block

    def _skip(self) -> None:
        while self._left:
            self.read(CHUNK)
        if self._padding:
            self._exactly(self._padding)
            self._padding = 0

    def _entry(self, block: bytes, extensions: dict[bytes, bytes]) -> Entry:
        (name, mode, uid, gid, size, mtime, _, kind, linkname, magic, _, _, major, minor, prefix) = HEADER.unpack(block)
        entry = Entry(
            text(name), 0, number(mode) & 0o7777, number(uid), number(gid), number(size), number(mtime) * 10**9,
            text(linkname),
        )  # fmt: skip
        if magic == b"ustar\x0000" and prefix[0]:
            entry.name = f"{text(prefix)}/{entry.name}"
        if b"L" in extensions:
            entry.name = text(extensions[b"L"])
        if b"K" in extensions:
            entry.linkname = text(extensions[b"K"])
        self._pax = pax_records(extensions[b"x"]) if b"x" in extensions else {}
        self._apply_pax(entry)
        self._set_kind(entry, kind)
        if entry.kind in (stat.S_IFCHR, stat.S_IFBLK):
            entry.major, entry.minor = number(major), number(minor)
            if not (0 <= entry.major < _MAJORS and 0 <= entry.minor < _MINORS):
                raise invalid_header()
        if entry.size < 0 or min(entry.uid, entry.gid) < 0 or max(entry.uid, entry.gid) >= 2**32 - 1:
            raise invalid_header()
        self._open(entry, kind, block)
        return entry

    @staticmethod
    def _set_kind(entry: Entry, kind: bytes) -> None:
        if kind == b"1":
            return
        if kind not in _KINDS:
            raise InvalidArgument(f"unhandled tar header type {kind[0]}")
        entry.kind = _KINDS[kind]
        if kind == b"\0" and entry.name.endswith("/"):
            # Before ustar a directory was a file whose name ends with a slash. Of a file that says that it is
            # one, the slash is no more than noise: its data follow, and have to be read past.
            entry.kind = stat.S_IFDIR

    def _open(self, entry: Entry, kind: bytes, block: bytes) -> None:
        """Set up reading the entry's data; kinds without data ignore the size field, as in Go."""
        if entry.kind != stat.S_IFREG:
            entry.size = 0
        self._left, self._padding = entry.size, -entry.size % BLOCK
        if kind == b"S":
            self._set_sparse(entry, *sparse.old_form(block, lambda: self._exactly(BLOCK)))
        elif any(key.startswith("GNU.sparse.") for key in self._pax):
            if "GNU.sparse.name" in self._pax:
                entry.name = pax_text(self._pax["GNU.sparse.name"])
            self._set_sparse(entry, *sparse.pax_form(self._pax, self.read))

    def _set_sparse(self, entry: Entry, parts: sparse.SparseMap, real_size: int) -> None:
        sparse.check(parts, real_size, self._left)
        entry.sparse, entry.size = parts, real_size

    def _apply_pax(self, entry: Entry) -> None:
        for key, value in self._pax.items():
            if key.startswith(XATTR_PREFIX):
                entry.xattrs[key.removeprefix(XATTR_PREFIX)] = value
            elif key == "path" and value:
                entry.name = pax_text(value)
            elif key == "linkpath" and value:
                entry.linkname = pax_text(value)
            elif key in ("uid", "gid", "size"):
                setattr(entry, key, pax_number(value))
            elif key == "mtime":
                entry.mtime_ns = pax_time(value)
