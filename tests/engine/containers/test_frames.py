"""Stream frames and detach keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.containers.frames import DEFAULT_DETACH_KEYS, STDERR, STDIN, STDOUT, DetachKeys, header, multiplex


def test_header() -> None:
    assert header(STDERR, 258) == b"\2\0\0\0\0\0\1\2"


@given(st.lists(st.tuples(st.sampled_from([STDIN, STDOUT, STDERR]), st.binary(max_size=300))))
def test_multiplexed_frames_are_those_of_each_payload(items: list[tuple[int, bytes]]) -> None:
    expected = b"".join(header(stream, len(payload)) + payload for stream, payload in items)
    assert multiplex([stream for stream, _ in items], [payload for _, payload in items]) == expected


@given(st.lists(st.binary(max_size=6)))
def test_text_without_the_first_key_passes(parts: list[bytes]) -> None:
    keys = DetachKeys(DEFAULT_DETACH_KEYS)
    typed = [part.replace(b"\x10", b"") for part in parts]
    assert [keys.feed(part) for part in typed] == [(part, False) for part in typed]


@given(st.binary(), st.binary())
def test_the_sequence_is_found_in_any_cut(before: bytes, after: bytes) -> None:
    before = before.replace(b"\x10", b"")
    keys = DetachKeys(DEFAULT_DETACH_KEYS)
    passed = b""
    for position, key in enumerate(before + DEFAULT_DETACH_KEYS + after):
        text, detach = keys.feed(bytes((key,)))
        passed += text
        if detach:
            assert position == len(before) + 1
            break
    assert passed == before


def test_an_unfinished_sequence_is_delivered_after_all() -> None:
    keys = DetachKeys(b"\x10\x11")
    assert keys.feed(b"\x10") == (b"", False)
    assert keys.feed(b"a") == (b"\x10a", False)
    assert keys.feed(b"\x10\x10") == (b"\x10", False)
    assert keys.feed(b"\x11") == (b"", True)
