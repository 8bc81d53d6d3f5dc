"""Detach keys and frames: everything arrives in pieces of any size."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frontend.cli.errors import CliError
from frontend.cli.session import copy_frames
from frontend.cli.terminal import DetachScanner, parse_detach_keys

KEYS = b"\x10\x11"


@pytest.mark.parametrize(
    ("text", "keys"), [(None, KEYS), ("ctrl-a,b", b"\x01b"), ("ctrl-@,ctrl-[,ctrl-_", b"\x00\x1b\x1f")]
)
def test_detach_keys(text: str | None, keys: bytes) -> None:
    assert parse_detach_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-A", "ab", "ctrl-", ","])
def test_bad_detach_keys(text: str) -> None:
    with pytest.raises(CliError, match="invalid detach keys"):
        parse_detach_keys(text)


@given(st.lists(st.sampled_from([b"a", b"\x10", b"\x11", b"bc"]), max_size=12))
def test_keys_are_found_wherever_they_are_cut(pieces: list[bytes]) -> None:
    scanner, passed, detached = DetachScanner(KEYS), b"", False
    for piece in pieces:
        out, detached = scanner.feed(piece)
        passed += out
        if detached:
            break
    typed = b"".join(pieces)
    if KEYS in typed:
        assert detached
        assert passed == typed[: typed.index(KEYS)]
    else:
        assert not detached
        assert typed == passed + (b"\x10" if typed.endswith(b"\x10") else b"")


def frame(stream: int, data: bytes) -> bytes:
    return bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big") + data


def in_pieces(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=30)), max_size=8),
    st.lists(st.integers(1, 20), max_size=10),
)
def test_frames_are_put_together(
    capfdbinary: pytest.CaptureFixture[bytes], frames: list[tuple[int, bytes]], sizes: list[int]
) -> None:
    pieces = in_pieces(b"".join(frame(*each) for each in frames), sizes)
    copy_frames(lambda _: next((piece for piece in pieces if piece), b""))
    out, err = capfdbinary.readouterr()
    assert out == b"".join(data for stream, data in frames if stream == 1)
    assert err == b"".join(data for stream, data in frames if stream == 2)


def test_an_error_in_the_stream_is_raised() -> None:
    pieces = iter([frame(3, b"disk full"), b""])
    with pytest.raises(CliError, match="error from daemon in stream: disk full"):
        copy_frames(lambda _: next(pieces))
