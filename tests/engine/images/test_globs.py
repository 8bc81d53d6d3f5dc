"""Patterns as Go's path.Match reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import InvalidArgument
from engine.images.globs import matches


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("", "", True),
        ("", "a", False),
        ("*", "abc", True),
        ("*", "", True),
        ("*", "a/b", False),
        ("a*", "a", True),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("a*b*c*d/f", "axbxcxd/f", True),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("**b", "aab", True),
        ("?", "/", False),
        ("a?c", "abc", True),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^c]", "abc", False),
        ("ab[^e-g]", "abc", True),
        ("a[^b]c", "a/c", True),
        ("[a-zA-Z]", "Q", True),
        ("[z-a]", "m", False),
        ("[^z-a]", "m", True),
        ("[z-ab]", "b", True),
        ("[\\]]", "]", True),
        ("[\\-x]", "-", True),
        ("[x\\-]", "-", True),
        ("[*?.|&~^-^]", "^", True),
        ("[\\--0]", "/", True),
        ("a\\*b", "a*b", True),
        ("a\\*b", "acb", False),
        ("a.c", "abc", False),
        ("a\nb*", "a\nb\nc", True),
        ("*[^x]*c", "a/c", False),  # Go takes the first place that fits, and does not try another
    ],
)
def test_matches(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, name) is fits


@pytest.mark.parametrize(
    "pattern",
    ["[", "[a", "[]", "[]a]", "[^]", "[^bc", "[-]", "[x-]", "[-x]", "[a-b-c]", "\\", "a[\\", "[a-", "*[", "z*["],
)
def test_malformed(pattern: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^syntax error in pattern$"):
        matches(pattern, "a")


def test_too_long() -> None:
    with pytest.raises(InvalidArgument, match="longer than 4096 characters"):
        matches("a" * 4097, "a")


@pytest.mark.parametrize("pattern", ["*a" * 2000 + "b", "a*" * 2000 + "b", "*?" * 2000, "[a-c]*" * 600, "*" * 4096])
def test_hostile_patterns_end(pattern: str) -> None:
    """A matcher that goes back to each star would not come to an end."""
    assert not matches(pattern, "a" * 600 + "/")


class Piece(NamedTuple):
    """A part of a pattern: its text, and which single characters it takes; None is a star."""

    text: str
    takes: Callable[[str], bool] | None


ALPHABET = "abc/-"
PIECES = st.one_of(
    st.just(Piece("*", None)),
    st.just(Piece("?", lambda each: each != "/")),
    st.sampled_from(ALPHABET).map(lambda letter: Piece(letter, lambda each: each == letter)),
    st.sampled_from("*?[]\\a").map(lambda letter: Piece(f"\\{letter}", lambda each: each == letter)),
    st.sets(st.sampled_from("abc"), min_size=1).map(
        lambda letters: Piece(f"[{''.join(letters)}]", lambda each: each in letters)
    ),
    st.sampled_from(["a-b", "b-c"]).map(
        lambda letters: Piece(f"[^{letters}/]", lambda each: each not in f"{letters[0]}{letters[2]}/")
    ),
)


def simple(pieces: list[Piece], name: str) -> bool:
    """All places that can be reached, one piece after the other."""
    places = {0}
    for piece in pieces:
        if piece.takes:
            places = {place + 1 for place in places if place < len(name) and piece.takes(name[place])}
        else:
            for place in range(len(name)):
                if place in places and name[place] != "/":
                    places.add(place + 1)
    return len(name) in places


@given(st.lists(PIECES, max_size=10), st.text(ALPHABET + "*?[]\\", max_size=12))
@example([Piece("*", None)] * 3, "")
def test_like_a_simple_matcher(pieces: list[Piece], name: str) -> None:
    assert matches("".join(piece.text for piece in pieces), name) is simple(pieces, name)


@given(st.text(alphabet=st.sampled_from("*?[]^-\\ab/&~|.é\n") | st.characters(), max_size=30), st.text(max_size=20))
def test_any_pattern_is_tried_or_refused(pattern: str, name: str) -> None:
    try:
        matches(pattern, name)
    except InvalidArgument:
        with pytest.raises(InvalidArgument, match=r"^syntax error in pattern$"):
            matches(pattern, "")
