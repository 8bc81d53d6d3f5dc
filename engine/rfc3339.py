"""Times as Docker writes them: RFC 3339, in UTC, with up to nine digits of a second; nanoseconds since 1970 inside.

Small, because every shim has it in memory: without ``datetime``, which would also lose the nanoseconds. The times of a
list are asked for again and again: what ``parse`` has read it remembers.
"""

from __future__ import annotations

import functools
import re
import time

NANO = 10**9
ZERO = "0001-01-01T00:00:00Z"  # Go's zero time, by which Docker says "never"
FIRST, LAST = -62_135_596_800 * NANO, 253_402_300_800 * NANO - 1  # the years 1 to 9999

_DAY = 86_400  # seconds
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,30}))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)
_DAYS_BEFORE_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_DAYS_BEFORE_1970 = 719_528  # counted from the first day of a year 0


def now() -> str:
    """The present as ``2026-01-31T12:00:00.123456789Z``."""
    return render(time.time_ns())


def render(nanoseconds: int) -> str:
    """RFC3339Nano of Go: no zeros at the end of the fraction. Outside the years 1 to 9999 the nearest time inside."""
    whole, fraction = _split(nanoseconds)
    return f"{whole}.{fraction:09d}".rstrip("0") + "Z" if fraction else f"{whole}Z"


def render_fixed(nanoseconds: int) -> str:
    """With nine digits always, so that times sort as text: the form of logs."""
    whole, fraction = _split(nanoseconds)
    return f"{whole}.{fraction:09d}Z"


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> int:
    """Nanoseconds since 1970 of a time with any offset; digits beyond the ninth are cut off. ValueError else."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time of RFC 3339: {text[:64]!r}")
    date, hour, minute, second, fraction, sign, offset_hour, offset_minute = match.groups()
    seconds = _days(date) * _DAY + int(hour) * 3600 + int(minute) * 60 + int(second)
    if sign is not None:
        offset = int(offset_hour) * 3600 + int(offset_minute) * 60
        seconds += offset if sign == "-" else -offset
    return seconds * NANO + (int(fraction[:9].ljust(9, "0")) if fraction else 0)


def _split(nanoseconds: int) -> tuple[str, int]:
    """``2026-01-31T12:00:00`` and the nanoseconds of its last second."""
    seconds, fraction = divmod(min(max(nanoseconds, FIRST), LAST), NANO)
    return _to_the_second(seconds), fraction


def _to_the_second(seconds: int) -> str:
    return "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}".format(*time.gmtime(seconds)[:6])


def _days(date: str) -> int:
    """Days from the first of 1970 to a date; ValueError for one that is in no calendar."""
    year, month, day = int(date[:4]), int(date[5:7]), int(date[8:])
    if not (year and 1 <= month <= 12):
        raise ValueError(f"no such date: {date}")
    # A year's leap day lies behind its first of March; the year 0 would have had one.
    leap_years = year if month > 2 else year - 1
    leap_days = leap_years // 4 - leap_years // 100 + leap_years // 400 + 1
    days = 365 * year + leap_days + _DAYS_BEFORE_MONTH[month - 1] + day - 1 - _DAYS_BEFORE_1970
    if not _to_the_second(days * _DAY).startswith(date):
        raise ValueError(f"no such date: {date}")
    return days
