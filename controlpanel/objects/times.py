"""Docker's times: RFC 3339 in UTC with nanoseconds, and its zero time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

ZERO = "0001-01-01T00:00:00Z"
NANO = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> str:
    """The present as ``2026-01-31T12:00:00.123456789Z``."""
    return render(time.time_ns())


def render(nanoseconds: int) -> str:
    """Nanoseconds since 1970 as RFC3339Nano; Go's layout drops trailing zeros of the fraction."""
    seconds, fraction = divmod(nanoseconds, NANO)
    moment = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{fraction:09d}".rstrip("0")
    return f"{moment}.{digits}Z" if digits else f"{moment}Z"


def parse(text: str) -> int:
    """Nanoseconds since 1970 of a time that ``render`` made; ValueError for anything else."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * NANO + int(fraction.ljust(9, "0")[:9] or 0)
