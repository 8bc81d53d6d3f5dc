"""Decompress gzip, bzip2, xz and zstd on the fly, told apart by their first bytes as Docker does.

Memory stays bounded whatever the input: output is produced in pieces, and xz and zstd get a cap on their windows.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import NamedTuple, Protocol

import zstandard

from engine.archives.reader import CHUNK, Readable
from engine.errors import InvalidArgument

_MAX_WINDOW = 256 << 20
MAX_MAGIC = 6
_INPUT = 64 << 10


class _Decompressor(Protocol):
    """The interface of bz2 and lzma: input that was not needed yet stays inside the object."""

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


class _Zstd:
    """zstandard's object with that interface. It has no ``max_length``, so it is fed so little that a block of 128 KiB
    for every four bytes still fits into memory."""

    _SLICE = 256

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompressobj()
        self._pending = b""

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def needs_input(self) -> bool:
        return not self._pending

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + self._pending

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        data = self._pending + data
        head, self._pending = data[: self._SLICE], data[self._SLICE :]
        return self._inner.decompress(head)


_FORMATS: dict[str, tuple[bytes, Callable[[], _Decompressor]]] = {
    "gzip": (b"\x1f\x8b", _Gzip),
    "bzip2": (b"BZh", bz2.BZ2Decompressor),
    "xz": (b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=_MAX_WINDOW)),
    "zstd": (b"\x28\xb5\x2f\xfd", _Zstd),
}


class _Prefixed:
    """A stream whose first bytes were looked at already."""

    def __init__(self, head: bytes, stream: Readable) -> None:
        self._head, self._stream = head, stream

    def read(self, size: int, /) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return self._stream.read(size)


class _Decompressed:
    """The plain bytes of a compressed stream, over all its members (gzip and zstd files may be concatenated)."""

    def __init__(self, stream: Readable, make: Callable[[], _Decompressor]) -> None:
        self._stream, self._make = stream, make
        self._inner = make()
        self._finished = False
        self._ready, self._taken = b"", 0

    def read(self, size: int, /) -> bytes:
        if self._taken == len(self._ready):
            self._ready, self._taken = self._next_piece(), 0
        data = self._ready[self._taken : self._taken + size]
        self._taken += len(data)
        return data

    def _next_piece(self) -> bytes:
        """Some more plain bytes, and none at the end."""
        while not self._finished:
            if self._inner.eof:
                self._next_member()
            elif data := self._produce():
                return data
        return b""

    def _produce(self) -> bytes:
        fresh = self._stream.read(_INPUT) if self._inner.needs_input else b""
        starved = self._inner.needs_input and not fresh
        try:
            data = self._inner.decompress(fresh, CHUNK)
        except (zlib.error, OSError, lzma.LZMAError, zstandard.ZstdError, EOFError) as failure:
            raise InvalidArgument(f"corrupt compressed archive: {failure}") from failure
        if starved and not data and not self._inner.eof:
            raise InvalidArgument("unexpected EOF")
        return data

    def _next_member(self) -> None:
        """Zeros after the last member are padding of whoever wrote to a device; anything else must be a member."""
        rest = self._inner.unused_data or self._stream.read(_INPUT)
        while rest and not rest.strip(b"\0"):
            rest = self._stream.read(_INPUT)
        if not rest:
            self._finished = True
            return
        self._inner = self._make()
        self._stream = _Prefixed(rest, self._stream)


class Plain(NamedTuple):
    """A decompressed stream, and how it was compressed: ``gzip``, ``bzip2``, ``xz``, ``zstd`` or empty."""

    stream: Readable
    encoding: str


def plain(stream: Readable) -> Plain:
    """The stream itself, or its decompressed form when it begins like a known compression."""
    head = b""
    while len(head) < MAX_MAGIC and (more := stream.read(MAX_MAGIC - len(head))):
        head += more
    rest = _Prefixed(head, stream)
    encoding = encoding_of(head)
    return Plain(_Decompressed(rest, _FORMATS[encoding][1]) if encoding else rest, encoding)


def encoding_of(head: bytes) -> str:
    """How a file that begins with ``head`` (MAX_MAGIC bytes are enough) is compressed; empty for not at all."""
    return next((name for name, (magic, _) in _FORMATS.items() if head.startswith(magic)), "")
