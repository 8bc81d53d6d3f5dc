"""Decompress gzip, bzip2, xz and zstd on the fly, told apart by their first bytes as Docker does.

Memory stays bounded whatever the input: output is produced in pieces, and xz and zstd get a cap on their windows. Time
is linear in the input, however many members it is cut into: bgzip, eStargz and pigz write one for each piece of a file.
"""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable
from typing import NamedTuple, Protocol

from engine.archives.reader import CHUNK, Readable
from engine.errors import InvalidArgument

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_MAX_WINDOW = 256 << 20
_ZSTD_OPTIONS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW.bit_length() - 1}
MAX_MAGIC = 6
_INPUT = 64 << 10
_FIRST_SLICE = 512
_GATHERED = 64 << 10
_FAULTS = (zlib.error, OSError, lzma.LZMAError, zstd.ZstdError, EOFError)


class _Decompressor(Protocol):
    """The interface of bz2, lzma and zstd: input that was not needed yet stays inside the object."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """zlib's object with that interface."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class _Format(NamedTuple):
    """``magics`` are what a member may begin with."""

    name: str
    magics: tuple[bytes, ...]
    make: Callable[[], _Decompressor]


# RFC 8878, section 3.1.2: frames that the library passes over.
_SKIPPABLE = tuple(bytes([first]) + b"\x2a\x4d\x18" for first in range(0x50, 0x60))
_FORMATS = (
    _Format("gzip", (b"\x1f\x8b",), _Gzip),
    _Format("bzip2", (b"BZh",), bz2.BZ2Decompressor),
    _Format("xz", (b"\xfd7zXZ\0",), lambda: lzma.LZMADecompressor(memlimit=_MAX_WINDOW)),
    _Format("zstd", (b"\x28\xb5\x2f\xfd", *_SKIPPABLE), lambda: zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)),
)


class _Input:
    """Compressed bytes that can be taken, looked at, and given back."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._ready, self._taken = b"", 0

    def read(self, size: int, /) -> bytes:
        """Some bytes, and none at the end."""
        if self._taken == len(self._ready):
            self._ready, self._taken = self._stream.read(size), 0
        data = self._ready[self._taken : self._taken + size]
        self._taken += len(data)
        return data

    def give_back(self, size: int) -> None:
        """The last ``size`` bytes of what was read last were not needed."""
        self._taken -= size

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, or as many as there are."""
        while len(self._ready) - self._taken < size and (more := self._stream.read(_INPUT)):
            self._ready, self._taken = self._ready[self._taken :] + more, 0
        return self._ready[self._taken : self._taken + size]


class _Decompressed:
    """The plain bytes of a compressed stream, over all its members (gzip and zstd files may be concatenated)."""

    def __init__(self, stream: _Input, kind: _Format) -> None:
        self._stream, self._kind = stream, kind
        self._inner = kind.make()
        self._slice = _FIRST_SLICE
        self._finished = False
        self._ready, self._taken = b"", 0

    def read(self, size: int, /) -> bytes:
        if self._taken == len(self._ready):
            self._ready, self._taken = self._gather(), 0
        data = self._ready[self._taken : self._taken + size]
        self._taken += len(data)
        return data

    def _gather(self) -> bytes:
        """Some more plain bytes, and none at the end; of a stream of tiny members not one by one."""
        pieces: list[bytes] = []
        length = 0
        while length < _GATHERED and not self._finished:
            if self._inner.eof:
                self._next_member()
            elif data := self._produce():
                pieces.append(data)
                length += len(data)
        return b"".join(pieces)

    def _produce(self) -> bytes:
        fresh = b""
        if self._inner.needs_input:
            fresh = self._stream.read(self._slice)
            # What a member leaves of a slice is copied: slices that grow with the member keep that in proportion.
            self._slice = min(2 * self._slice, _INPUT)
        starved = self._inner.needs_input and not fresh
        try:
            data = self._inner.decompress(fresh, CHUNK)
        except _FAULTS as failure:
            raise InvalidArgument(f"corrupt compressed archive: {failure}") from failure
        if starved and not data and not self._inner.eof:
            raise InvalidArgument("unexpected EOF")
        return data

    def _next_member(self) -> None:
        """Zeros after the last member are padding of whoever wrote to a device; anything else must be a member."""
        self._stream.give_back(len(self._inner.unused_data))
        head = self._stream.peek(MAX_MAGIC)
        if head.startswith(self._kind.magics):
            self._inner, self._slice = self._kind.make(), _FIRST_SLICE
            return
        if head.startswith(b"\0"):
            while head and not head.strip(b"\0"):
                head = self._stream.read(_INPUT)
        if any(magic.startswith(head) for magic in self._kind.magics if head):
            raise InvalidArgument("unexpected EOF")
        if head:
            raise InvalidArgument(f"corrupt compressed archive: garbage after the end of the {self._kind.name} data")
        self._finished = True


class Plain(NamedTuple):
    """A decompressed stream, and how it was compressed: ``gzip``, ``bzip2``, ``xz``, ``zstd`` or empty."""

    stream: Readable
    encoding: str


def plain(stream: Readable) -> Plain:
    """The stream itself, or its decompressed form when it begins like a known compression."""
    source = _Input(stream)
    kind = _format_of(source.peek(MAX_MAGIC))
    return Plain(_Decompressed(source, kind), kind.name) if kind else Plain(source, "")


def encoding_of(head: bytes) -> str:
    """How a file that begins with ``head`` (MAX_MAGIC bytes are enough) is compressed; empty for not at all."""
    kind = _format_of(head)
    return kind.name if kind else ""


def _format_of(head: bytes) -> _Format | None:
    return next((each for each in _FORMATS if head.startswith(each.magics)), None)
