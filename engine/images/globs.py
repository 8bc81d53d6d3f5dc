"""Patterns of file names as Go's path.Match reads them, in which ``*`` and ``?`` stop at a slash.

    *        any characters but "/"          [a-c]  one character of the class ("/" too)
    ?        one character but "/"           [^a-c] one character that is not of the class
    \\c       the character c

A pattern becomes a regular expression that never tries a place twice: what stands after a star is looked for from the
left and then kept (``(?>…)``), which is also what Go does. So a hostile pattern costs no more than its length times
the name's.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from engine.errors import InvalidArgument

_MAX_PATTERN = 4096
_STAR = "*"
_NEVER = "(?!)"


def matches(pattern: str, name: str) -> bool:
    """Whether the whole of ``name`` fits. InvalidArgument for a malformed pattern, whatever the name is."""
    return _compiled(pattern).fullmatch(name) is not None


@functools.lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    if len(pattern) > _MAX_PATTERN:
        raise InvalidArgument(f"pattern is longer than {_MAX_PATTERN} characters")
    first, *chunks = _chunks(pattern)
    if not chunks:
        return re.compile(first, re.DOTALL)
    between = "".join(f"(?>[^/]*?{chunk})" for chunk in chunks[:-1])
    return re.compile(f"{first}{between}[^/]*{chunks[-1]}", re.DOTALL)


def _chunks(pattern: str) -> list[str]:
    """Regular expressions of what stands between the stars."""
    chunks = [""]
    starred = False
    for piece in _pieces(pattern):
        if piece != _STAR:
            chunks[-1] += piece
        elif not starred:
            chunks.append("")
        starred = piece == _STAR
    return chunks


def _pieces(pattern: str) -> Iterator[str]:
    """A regular expression for each single character that is wanted, and stars."""
    characters = iter(pattern)
    for character in characters:
        if character == "*":
            yield _STAR
        elif character == "?":
            yield "[^/]"
        elif character == "[":
            yield _class(characters)
        else:
            yield re.escape(_next(characters) if character == "\\" else character)


def _class(characters: Iterator[str]) -> str:
    """The rest of a class: at least one character or range, which may be escaped."""
    ranges: list[str] = []
    character = _next(characters)
    negated = character == "^"
    if negated:
        character = _next(characters)
    while character != "]" or not ranges:
        low = high = _literal(character, characters)
        character = _next(characters)
        if character == "-":
            high = _literal(_next(characters), characters)
            character = _next(characters)
        # A range whose ends are the wrong way round holds nothing, and is no mistake.
        ranges.append(f"{re.escape(low)}-{re.escape(high)}" if low <= high else "")
    if not any(ranges):
        return "." if negated else _NEVER
    return f"[{'^' if negated else ''}{''.join(ranges)}]"


def _literal(character: str, characters: Iterator[str]) -> str:
    if character in "-]":
        raise _malformed()
    return _next(characters) if character == "\\" else character


def _next(characters: Iterator[str]) -> str:
    for character in characters:
        return character
    raise _malformed()


def _malformed() -> InvalidArgument:
    return InvalidArgument("syntax error in pattern")
