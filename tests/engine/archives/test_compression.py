"""Decompression: every format that Docker takes, in pieces, whole or refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tracemalloc
from collections.abc import Callable

import pytest
import zstandard

from engine.archives.compression import plain
from engine.archives.reader import Readable
from engine.errors import InvalidArgument

TEXT = b"".join(b"%d" % (number * number) for number in range(100_000))
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
}
each_format = pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)


def everything(stream: Readable) -> bytes:
    return b"".join(iter(lambda: stream.read(1 << 16), b""))


@each_format
def test_round_trip(encode: Callable[[bytes], bytes]) -> None:
    stream, encoding = plain(io.BytesIO(encode(TEXT)))
    assert everything(stream) == TEXT
    assert ENCODERS[encoding] is encode


@each_format
def test_concatenated_members_and_padding(encode: Callable[[bytes], bytes]) -> None:
    data = encode(b"one") + encode(b"two") + bytes(10_000)
    assert everything(plain(io.BytesIO(data)).stream) == b"onetwo"


@each_format
def test_never_more_than_asked_for(encode: Callable[[bytes], bytes]) -> None:
    stream = plain(io.BytesIO(encode(TEXT))).stream
    pieces = list(iter(lambda: stream.read(7), b""))
    assert b"".join(pieces) == TEXT
    assert max(map(len, pieces)) == 7


@each_format
def test_truncated(encode: Callable[[bytes], bytes]) -> None:
    data = encode(TEXT)
    with pytest.raises(InvalidArgument, match=r"^unexpected EOF$"):
        everything(plain(io.BytesIO(data[: len(data) // 2])).stream)


@each_format
def test_damaged(encode: Callable[[bytes], bytes]) -> None:
    data = bytearray(encode(TEXT))
    data[len(data) // 2 : len(data) // 2 + 8] = bytes(8)
    with pytest.raises(InvalidArgument):
        everything(plain(io.BytesIO(bytes(data))).stream)


@each_format
def test_garbage_after_the_end(encode: Callable[[bytes], bytes]) -> None:
    with pytest.raises(InvalidArgument):
        everything(plain(io.BytesIO(encode(TEXT) + b"garbage" * 10)).stream)


@pytest.mark.parametrize("data", [b"", b"x", b"\x1f", b"plain text that is longer"])
def test_uncompressed(data: bytes) -> None:
    stream, encoding = plain(io.BytesIO(data))
    assert everything(stream) == data
    assert not encoding


@each_format
def test_a_bomb_stays_small_in_memory(encode: Callable[[bytes], bytes]) -> None:
    bomb = encode(bytes(96 << 20))
    stream = plain(io.BytesIO(bomb)).stream
    tracemalloc.start()
    size = sum(len(piece) for piece in iter(lambda: stream.read(1 << 20), b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 96 << 20
    assert peak < 32 << 20
