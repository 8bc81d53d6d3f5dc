"""JSON documents of strangers, read into what later code may rely on.

Two steps. ``parse`` bounds the whole document: its size, its depth, the number of its values, and no NUL, which neither
the kernel nor a database takes. The readers then check the fields that somebody uses, by tables, as Go's decoder does:
names match in any case, ``null`` means that the field is missing, and what nobody knows stays as it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from engine import rfc3339
from engine.errors import InvalidArgument

_MAX_DEPTH = 64
_MAX_VALUES = 500_000
_SHOWN = 64  # characters of a key in an error message
_MAX_MOMENT = 40  # characters; nanoseconds and an offset need 35


class Wrong(ValueError):
    """What is wrong with a value, after the path of its field: ``config.Env: not a list of strings``."""


Read = Callable[[Any, str], Any]
"""Returns a value of the right type; the text is the path of the field. Raises Wrong."""

Fields = Mapping[str, Read]


def parse(data: bytes, what: str) -> Any:
    """The document; ``what`` names it in InvalidArgument."""
    try:
        value = orjson.loads(data)
        _check_bounds(value)
    except (orjson.JSONDecodeError, Wrong) as failure:
        raise InvalidArgument(f"invalid {what}: {failure}") from None
    return value


def decode(value: Any, read: Read, what: str) -> Any:
    """``value`` as ``read`` gives it, or InvalidArgument."""
    try:
        return read(value, "")
    except Wrong as failure:
        raise InvalidArgument(f"invalid {what}: {failure}") from None


def sound(value: Mapping[str, Any], read: Read) -> dict[str, Any]:
    """The fields of an object that are bounded and that ``read`` takes, as it gives them; the others are left out."""
    answer: dict[str, Any] = {}
    for key, each in value.items():
        with contextlib.suppress(Wrong):
            _check_bounds({key: each})
            answer |= read({key: each}, "")
    return answer


def _check_bounds(document: Any) -> None:
    """Level by level: a document may be deeper than the interpreter's stack."""
    level, values = [document], 0
    for _ in range(_MAX_DEPTH):
        if not level:
            return
        values += len(level)
        if values > _MAX_VALUES:
            raise Wrong(f"more than {_MAX_VALUES} values")
        level = [each for value in level for each in _children(value)]
    if level:
        raise Wrong(f"nested more than {_MAX_DEPTH} levels deep")


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        if "\0" in value:
            raise Wrong("a string holds a NUL character")
    elif isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _wrong(path: str, what: str) -> Wrong:
    return Wrong(f"{path}: {what}" if path else what)


def _below(path: str, key: str) -> str:
    shown = key if len(key) <= _SHOWN else f"{key[:_SHOWN]}…"
    return f"{path}.{shown}" if path else shown


def text(limit: int) -> Read:
    """A string of at most ``limit`` characters."""

    def read(value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise _wrong(path, "not a string")
        if len(value) > limit:
            raise _wrong(path, f"longer than {limit} characters")
        return value

    return read


def boolean(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(path, "not true or false")
    return value


def integer(value: Any, path: str) -> int:
    """A signed integer of 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise _wrong(path, "not an integer of 64 bits")
    return value


def moment(value: Any, path: str) -> str:
    """A time of RFC 3339, which stays as it was written."""
    if not isinstance(value, str) or len(value) > _MAX_MOMENT or not _is_moment(value):
        raise _wrong(path, "not a time of RFC 3339")
    return value


def _is_moment(value: str) -> bool:
    try:
        rfc3339.parse(value)
    except ValueError:
        return False
    return True


def texts(limit: int, entries: int) -> Read:
    """A list of at most ``entries`` strings; ``null`` in it is an empty one, as in Go."""
    read_entry = text(limit)

    def read(value: Any, path: str) -> list[str]:
        if not isinstance(value, list) or not all(each is None or isinstance(each, str) for each in value):
            raise _wrong(path, "not a list of strings")
        return [read_entry(each or "", path) for each in _few(value, entries, path)]

    return read


def words(limit: int, entries: int) -> Read:
    """A command: a list of words, or one string that counts as one word."""
    read_list = texts(limit, entries)

    def read(value: Any, path: str) -> list[str]:
        answer: list[str] = read_list([value] if isinstance(value, str) else value, path)
        return answer

    return read


def listed(item: Read, entries: int) -> Read:
    """A list of at most ``entries`` objects."""

    def read(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong(path, "not a list")
        return [item(each, _below(path, str(index))) for index, each in enumerate(_few(value, entries, path))]

    return read


def mapping(key: Read, item: Read, entries: int) -> Read:
    """An object whose names and values are the stranger's own."""

    def read(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong(path, "not an object")
        _few(value, entries, path)
        return {key(name, path): item(each, _below(path, name)) for name, each in value.items()}

    return read


def text_or_empty(limit: int) -> Read:
    read_text = text(limit)
    return lambda value, path: read_text("" if value is None else value, path)


def nothing(value: Any, path: str) -> dict[str, Any]:
    """The value of a Go set, ``map[string]struct{}``."""
    if value is not None and not isinstance(value, dict):
        raise _wrong(path, "not an object")
    return {}


def record(fields: Fields, required: str = "") -> Read:
    """An object with fields of known names, and any others. ``required`` must be there."""
    names = {name.lower(): name for name in fields}

    def read(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong(path, "not an object")
        answer: dict[str, Any] = {}
        for key, each in value.items():
            name = names.get(key.lower())
            if name is None:
                answer[key] = each
            elif each is not None:
                answer[name] = fields[name](each, _below(path, name))
        if required and required not in answer:
            raise _wrong(_below(path, required), "missing")
        return answer

    return read


def _few(value: Any, entries: int, path: str) -> Any:
    if len(value) > entries:
        raise _wrong(path, f"more than {entries} entries")
    return value
