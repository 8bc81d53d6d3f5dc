"""Reading JSON the way Go's decoder reads it into a struct, driven by tables of fields.

Field names match in any case, ``null`` leaves the default, unknown names are ignored, and a value of the wrong type is
refused with Go's text. Every table yields a complete object: a field that the request leaves out has its zero value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from engine.errors import InvalidArgument

Read = Callable[[Any, str], Any]
"""Turns a JSON value into a checked one; the text is the path of the field for the error message."""


class Field(NamedTuple):
    """How one field is read, what it is when the request leaves it out, and the fields of the objects it holds."""

    read: Read
    default: Callable[[], Any]
    inner: Mapping[str, Field] | None = None


Fields = Mapping[str, Field]


def _refuse(value: Any, path: str, wanted: str) -> InvalidArgument:
    names = {str: "string", bool: "bool", dict: "object", list: "array"}
    found = names.get(type(value), f"number {value}" if isinstance(value, int | float) else "value")
    return InvalidArgument(f"invalid JSON: json: cannot unmarshal {found} into Go struct field {path} of type {wanted}")


def read_text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _refuse(value, path, "string")
    if "\0" in value:
        # No kernel interface takes it, so nothing behind this point has to think of it.
        raise InvalidArgument(f"invalid {path}: the value holds a NUL byte")
    return value


def read_bool(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _refuse(value, path, "bool")
    return value


def read_integer(low: int, high: int, name: str) -> Read:
    def read(value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _refuse(value, path, name)
        return value

    return read


def read_list(item: Read, wanted: str = "[]string") -> Read:
    """A list; ``null`` inside it becomes the item's empty text only for texts, as in Go."""

    def read(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise _refuse(value, path, wanted)
        return [item("" if element is None and item is read_text else element, path) for element in value]

    return read


def read_map(item: Read, wanted: str = "map[string]string") -> Read:
    def read(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _refuse(value, path, wanted)
        empty: Any = "" if item is read_text else {} if item is read_empty else None
        return {read_text(key, path): item(empty if each is None else each, path) for key, each in value.items()}

    return read


def read_empty(value: Any, path: str) -> dict[str, Any]:
    """The value of a Go set, ``map[string]struct{}``."""
    if not isinstance(value, dict):
        raise _refuse(value, path, "struct {}")
    return {}


def read_words(value: Any, path: str) -> list[str]:
    """A command: a list of words, or one text that counts as one word."""
    if isinstance(value, str):
        return [read_text(value, path)]
    words: list[str] = read_list(read_text)(value, path)
    return words


def read_object(fields: Fields, name: str) -> Read:
    def read(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _refuse(value, path, name)
        return decode(value, fields, name)

    return read


def decode(value: Mapping[str, Any], fields: Fields, name: str) -> dict[str, Any]:
    """A complete object of ``fields``; ``name`` is the Go struct's name for error messages."""
    by_lower = {field.lower(): field for field in fields}
    answer = {field: spec.default() for field, spec in fields.items()}
    for key, each in value.items():
        field = key if key in fields else by_lower.get(key.lower())
        if field is not None and each is not None:
            answer[field] = fields[field].read(each, f"{name}.{field}")
    return answer


def complete(stored: dict[str, Any], fields: Fields) -> dict[str, Any]:
    """An object that was decoded before, perhaps by a version with fewer fields; cheaper than decoding it again."""
    if not stored.keys() >= fields.keys():
        stored = {name: field.default() for name, field in fields.items()} | stored
    for name, field in fields.items():
        if field.inner is not None and stored[name] is not None:
            stored[name] = _complete_inner(stored[name], field.inner)
    return stored


def _complete_inner(stored: Any, fields: Fields) -> Any:
    """An object, or a list of them."""
    return [complete(each, fields) for each in stored] if isinstance(stored, list) else complete(stored, fields)


def nothing() -> None:
    return None


INT64 = read_integer(-(2**63), 2**63 - 1, "int64")
TEXT = Field(read_text, str)
BOOL = Field(read_bool, bool)
INTEGER = Field(INT64, int)
UNSIGNED = Field(read_integer(0, 2**64 - 1, "uint64"), int)
NULLABLE_INTEGER = Field(INT64, nothing)
NULLABLE_BOOL = Field(read_bool, nothing)
TEXTS = Field(read_list(read_text), nothing)
TEXT_MAP = Field(read_map(read_text), dict)
NULLABLE_TEXT_MAP = Field(read_map(read_text), nothing)
NULLABLE_SET = Field(read_map(read_empty, "map[string]struct {}"), nothing)
WORDS = Field(read_words, nothing)


def objects(fields: Fields, name: str) -> Field:
    return Field(read_list(read_object(fields, name), f"[]{name}"), nothing, fields)


def optional(fields: Fields, name: str) -> Field:
    """An object, or None."""
    return Field(read_object(fields, name), nothing, fields)
