"""Filters of the prune operations: ``label``, ``label!`` and ``until``, already parsed to lists of texts."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from controlpanel.objects import times
from controlpanel.objects.times import NANO
from engine.errors import InvalidArgument

Filters = Mapping[str, list[str]]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|ns|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def matches_labels(labels: Mapping[str, str], filters: Filters) -> bool:
    """All of ``label`` (``key`` or ``key=value``) must be there and none of ``label!``."""
    wanted = all(_has(labels, text) for text in filters.get("label", []))
    return wanted and not any(_has(labels, text) for text in filters.get("label!", []))


def until(filters: Filters) -> int | None:
    """The moment before which an object must have been made, in ns since 1970; None without the filter."""
    values = filters.get("until", [])
    if not values:
        return None
    if len(values) > 1:
        raise InvalidArgument("more than one until filter specified")
    return _moment(values[0])


def _has(labels: Mapping[str, str], text: str) -> bool:
    key, equals, value = text.partition("=")
    return key in labels and (not equals or labels[key] == value)


def _moment(text: str) -> int:
    """A duration before now (``24h``, ``1h30m``), seconds since 1970, or RFC 3339 in UTC."""
    pieces = _DURATION.findall(text)
    if pieces and "".join(number + unit for number, unit in pieces) == text:
        return time.time_ns() - int(sum(float(number) * _UNITS[unit] for number, unit in pieces) * NANO)
    try:
        return int(float(text) * NANO)
    except (ValueError, OverflowError):
        pass
    try:
        return times.parse(text)
    except ValueError as error:
        raise InvalidArgument(f"invalid filter 'until={text}': not a time") from error
