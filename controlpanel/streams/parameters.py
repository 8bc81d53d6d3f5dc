"""Query parameters as Docker's server reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import orjson

from engine.errors import InvalidArgument

if TYPE_CHECKING:
    from django.http import HttpRequest

FALSE = frozenset({"", "0", "no", "false", "none"})
TIMESTAMP = re.compile(r"(-?[0-9]{1,12})(?:\.([0-9]{1,9})[0-9]*)?")
NANO = 1_000_000_000

Filters = dict[str, list[str]]


def boolean(text: str | None, default: bool = False) -> bool:
    """``""``, 0, no, false and none in any case are false, everything else is true."""
    return default if text is None else text.strip().lower() not in FALSE


def timestamp(name: str, text: str | None) -> int | None:
    """Unix seconds with optional decimals, as nanoseconds; None when absent, empty or ``0``."""
    if not text or text == "0":
        return None
    match = TIMESTAMP.fullmatch(text)
    if match is None:
        raise InvalidArgument(f'invalid value "{text}" for "{name}": want seconds since 1970')
    seconds, fraction = match.groups()
    return int(seconds) * NANO + int((fraction or "").ljust(9, "0"))


def filters(text: str | None, known: Iterable[str]) -> Filters:
    """``{"key": {"value": true}}`` or the older ``{"key": ["value"]}``. Raises InvalidArgument for an unknown key."""
    if not text:
        return {}
    try:
        decoded = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidArgument(f"invalid filter: {error}") from error
    if not isinstance(decoded, dict):
        raise InvalidArgument("invalid filter")
    allowed = frozenset(known)
    for key in decoded:
        if key not in allowed:
            raise InvalidArgument(f"invalid filter '{key}'")
    return {key: _values(value) for key, value in decoded.items()}


def json_body(request: HttpRequest) -> dict[str, Any]:
    """The body as an object; an empty body is an empty object, as Docker's exec start has it."""
    if not request.body:
        return {}
    if request.content_type != "application/json":
        given = request.headers.get("Content-Type", "")
        raise InvalidArgument(f"unsupported Content-Type header ({given}): must be 'application/json'")
    try:
        value = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise InvalidArgument(f"invalid JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidArgument("invalid JSON: want an object")
    return value


def _values(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [str(each) for each, wanted in value.items() if wanted]
    if isinstance(value, list):
        return [str(each) for each in value]
    raise InvalidArgument("invalid filter")
