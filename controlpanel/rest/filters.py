"""The ``filters`` parameter: ``{"key": {"value": true}}``, or the older ``{"key": ["value"]}``."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping

import orjson

from engine import rfc3339
from engine.errors import InvalidArgument

MAX_TEXT = 64 * 1024
MAX_PATTERN = 256
MAX_REPETITIONS = 3
REPETITION = re.compile(r"[*+{]")
REPEATED_GROUP = re.compile(r"\)\s*[*+{]")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


class Filters(dict[str, list[str]]):
    """Values by key, in the order of the request."""

    def values_of(self, key: str) -> list[str]:
        return self.get(key, [])

    def flag(self, key: str) -> bool | None:
        """A boolean filter, or None when it is not used."""
        values = set(self.values_of(key))
        if not values:
            return None
        if values <= {"1", "true", "True", "TRUE"}:
            return True
        if values <= {"0", "false", "False", "FALSE"}:
            return False
        shown = " ".join(sorted(values))
        raise InvalidArgument(f"invalid filter '{key}=[{shown}]'")

    def one_of(self, key: str, allowed: Iterable[str]) -> list[str]:
        """Values of ``key`` that must come from a fixed set."""
        known = set(allowed)
        for value in self.values_of(key):
            if value not in known:
                raise InvalidArgument(f"invalid filter '{key}={value}'")
        return self.values_of(key)

    def labels_match(self, labels: Mapping[str, str] | None) -> bool:
        """All of ``label`` and none of ``label!``; each is ``key`` or ``key=value``."""
        have = labels or {}
        return all(has_label(have, text) for text in self.values_of("label")) and not any(
            has_label(have, text) for text in self.values_of("label!")
        )

    def until(self) -> int | None:
        """The moment before which an object must have been made, in ns since 1970; None without the filter."""
        values = self.values_of("until")
        if len(values) > 1:
            raise InvalidArgument("more than one until filter specified")
        return moment(values[0], time.time_ns()) if values else None


def parse(query: Mapping[str, str], allowed: Iterable[str]) -> Filters:
    """Read and check the parameter; InvalidArgument for malformed JSON or a key that is not ``allowed``."""
    text = query.get("filters", "")
    known = frozenset(allowed)
    answer = Filters()
    for key, values in _load(text).items():
        if key not in known:
            raise InvalidArgument(f"invalid filter '{key}'")
        answer[key] = _values(key, values)
    return answer


def _load(text: str) -> dict[str, object]:
    if not text:
        return {}
    if len(text) > MAX_TEXT:
        raise InvalidArgument("invalid filters: too long")
    try:
        value = orjson.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"invalid filters: {error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidArgument("invalid filters: want a JSON object")
    return value


def _values(key: str, values: object) -> list[str]:
    if isinstance(values, dict):
        # ``false`` means that the value is not in the set.
        chosen: list[object] = [value for value, wanted in values.items() if wanted is not False]
    elif isinstance(values, list):
        chosen = values
    else:
        raise InvalidArgument(f"invalid filter '{key}'")
    texts = [value for value in chosen if isinstance(value, str)]
    if len(texts) != len(chosen):
        raise InvalidArgument(f"invalid filter '{key}'")
    return texts


def has_label(labels: Mapping[str, str], text: str) -> bool:
    """Whether ``text`` (``key`` or ``key=value``) fits the labels."""
    key, separator, value = text.partition("=")
    return key in labels and (not separator or labels[key] == value)


def expressions(values: Iterable[str]) -> Callable[[str], bool]:
    """The filters by name and by ID: whether any of several regular expressions is found in a text.

    An expression that is none is taken as it is. Go's engine is linear in time and Python's is not, so repeated groups
    and more than MAX_REPETITIONS in one expression are refused.
    """
    compiled = [_expression(value) for value in values]
    return lambda text: any(each.search(text) for each in compiled)


def _expression(value: str) -> re.Pattern[str]:
    if len(value) > MAX_PATTERN or _is_costly(value):
        raise InvalidArgument(f"invalid filter '{value[:64]}'")
    try:
        return re.compile(value)
    except (re.error, OverflowError, RecursionError, FutureWarning):
        return re.compile(re.escape(value))


def _is_costly(expression: str) -> bool:
    return REPEATED_GROUP.search(expression) is not None or len(REPETITION.findall(expression)) > MAX_REPETITIONS


def moment(text: str, now: int) -> int:
    """``until``: a duration before ``now`` (``10m``, ``1h30m``), seconds since 1970, or RFC 3339; in nanoseconds."""
    if re.fullmatch(rf"(?:{DURATION.pattern})+", text):
        return now - sum(int(float(number) * UNITS[unit]) for number, unit in DURATION.findall(text))
    if re.fullmatch(r"\d{1,11}(\.\d{1,9})?", text, re.ASCII):
        seconds, _, fraction = text.partition(".")
        return int(seconds) * rfc3339.NANO + int(fraction.ljust(9, "0") or 0)
    try:
        return rfc3339.parse(f"{text}T00:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else text)
    except ValueError:
        raise InvalidArgument(f"invalid filter 'until={text[:64]}'") from None
