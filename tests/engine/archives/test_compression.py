"""Decompression: every format that Docker takes, in pieces, whole or refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.archives.compression import plain
from engine.archives.reader import Readable
from engine.errors import InvalidArgument
from tests.support.archives import zstd

TEXT = b"".join(b"%d" % (number * number) for number in range(100_000))
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
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
@pytest.mark.parametrize("garbage", [b"garbage" * 10, b"g", bytes(5000) + b"garbage", bytes(70_000) + b"\x1f\x8b"])
def test_garbage_after_the_end(garbage: bytes, encode: Callable[[bytes], bytes]) -> None:
    with pytest.raises(InvalidArgument, match=r"^corrupt compressed archive: garbage after the end of the "):
        everything(plain(io.BytesIO(encode(b"one") + garbage)).stream)


@each_format
@pytest.mark.parametrize("length", [1, 2, 3, 5, 12])
def test_the_last_member_is_cut(length: int, encode: Callable[[bytes], bytes]) -> None:
    with pytest.raises(InvalidArgument, match=r"^unexpected EOF$"):
        everything(plain(io.BytesIO(encode(b"one") + encode(b"more")[:length])).stream)


@each_format
def test_a_hundred_thousand_members(encode: Callable[[bytes], bytes]) -> None:
    """eStargz and bgzip write one for each piece; a recursion for each would end the interpreter's stack."""
    member = encode(b"0123456789")
    # A compressor of xz takes long to make, and a thousand of its members would be as deep as any stack.
    count = 100_000 if encode in (gzip.compress, ENCODERS["zstd"]) else 3000
    stream = plain(io.BytesIO(member * count)).stream
    tracemalloc.start()
    size = sum(len(piece) for piece in iter(lambda: stream.read(1 << 20), b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 10 * count
    assert peak < 16 << 20  # half of it is the dictionary of xz


@each_format
def test_pieces_of_small_members_are_gathered(encode: Callable[[bytes], bytes]) -> None:
    """Whoever hashes, counts or joins the pieces must not pay for each of a stranger's ten bytes."""
    stream = plain(io.BytesIO(encode(b"0123456789") * 3000)).stream
    assert len(list(iter(lambda: stream.read(1 << 20), b""))) <= 2


def test_skippable_frames_of_zstd() -> None:
    """RFC 8878, section 3.1.2. zstd:chunked puts its table of contents into one, pzstd begins with one."""
    frame = ENCODERS["zstd"]
    skipped = b"\x5a\x2a\x4d\x18" + (100_000).to_bytes(4, "little") + b"\x28\xb5\x2f\xfd" * 25_000
    stream, encoding = plain(io.BytesIO(skipped + frame(b"one") + skipped + skipped + frame(b"two") + skipped))
    assert everything(stream) == b"onetwo"
    assert encoding == "zstd"
    with pytest.raises(InvalidArgument, match=r"^unexpected EOF$"):
        everything(plain(io.BytesIO(frame(b"one") + skipped[:-1])).stream)


class Stingy:
    """A stream that gives as few bytes as it likes, as a socket does."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._inner, self._sizes = io.BytesIO(data), sizes

    def read(self, size: int, /) -> bytes:
        self._sizes.append(self._sizes.pop(0))
        return self._inner.read(min(size, self._sizes[-1]))


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(ENCODERS)),
    parts=st.lists(st.binary(max_size=300) | st.integers(0, 100_000).map(lambda size: TEXT[:size]), min_size=1),
    reads=st.lists(st.integers(1, 100_000), min_size=1, max_size=5),
    asked=st.integers(1, 1 << 20),
    padding=st.integers(0, 100),
)
def test_any_split_into_members_is_the_payload(
    name: str, parts: list[bytes], reads: list[int], asked: int, padding: int
) -> None:
    data = b"".join(map(ENCODERS[name], parts)) + bytes(4 * padding)
    stream, encoding = plain(Stingy(data, reads))
    pieces = list(iter(lambda: stream.read(asked), b""))
    assert b"".join(pieces) == b"".join(parts)
    assert max(map(len, pieces), default=0) <= asked
    assert encoding == name


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
