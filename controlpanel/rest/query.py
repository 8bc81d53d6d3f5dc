"""Query parameters as Docker reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.errors import InvalidArgument

NANO = 1_000_000_000
TIMESTAMP = re.compile(r"(-?[0-9]{1,12})(?:\.([0-9]{1,9})[0-9]*)?")
FALSE = frozenset({"", "0", "no", "false", "none"})


def flag(query: Mapping[str, str], name: str, default: bool = False) -> bool:
    """A boolean; a parameter that is not there is ``default``, whatever is not one of FALSE is true."""
    value = query.get(name)
    return default if value is None else value.strip().lower() not in FALSE


def integer(query: Mapping[str, str], name: str) -> int | None:
    """A whole number, or None when it is missing or empty."""
    value = query.get(name) or ""
    if not value:
        return None
    try:
        number = int(value) if value.isascii() and "_" not in value else None
    except ValueError:
        number = None
    if number is None or not -(2**63) <= number < 2**63:
        raise InvalidArgument(f'strconv.Atoi: parsing "{value}": invalid syntax')
    return number


def timestamp(query: Mapping[str, str], name: str) -> int | None:
    """Seconds since 1970 with optional decimals, as nanoseconds; None when missing, empty or ``0``."""
    text = query.get(name) or ""
    if text in {"", "0"}:
        return None
    match = TIMESTAMP.fullmatch(text)
    if match is None:
        raise InvalidArgument(f'invalid value "{text}" for "{name}": want seconds since 1970')
    seconds, fraction = match.groups()
    return int(seconds) * NANO + int((fraction or "").ljust(9, "0"))


def dimension(query: Mapping[str, str], name: str, what: str) -> int:
    """A terminal's height or width: 32 bits without sign."""
    value = query.get(name, "")
    digits = value.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidArgument(f'invalid resize {what} "{value}": invalid syntax')
    if value.startswith("-") or len(digits) > 10 or int(digits) >= 2**32:
        raise InvalidArgument(f'invalid resize {what} "{value}": value out of range')
    return int(digits)
