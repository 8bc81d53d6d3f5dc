"""Sizes and times as docker's command line writes and reads them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from .errors import CliError

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SIZE = re.compile(r"(-?\d+(?:\.\d+)?)\s*([kmgtp]?)i?b?", re.IGNORECASE | re.ASCII)
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
ZERO_TIME = "0001-01-01T00:00:00Z"


def _scale(size: float, base: float, names: tuple[str, ...], digits: int) -> str:
    index = 0
    while size >= base and index < len(names) - 1:
        size, index = size / base, index + 1
    return f"{size:.{digits}g}{names[index]}"


def decimal_size(size: float, digits: int = 3) -> str:
    """1980000 → ``1.98MB``."""
    return _scale(size, 1000.0, _DECIMAL, digits)


def binary_size(size: float) -> str:
    """1044480 → ``1020KiB``."""
    return _scale(size, 1024.0, _BINARY, 4)


def parse_size(text: str) -> int:
    """``512m``, ``1.5g``, ``-1`` → bytes; units are binary. Raises CliError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise CliError(f"invalid size: '{text}'", 125)
    number, unit = match.groups()
    return int(float(number) * 1024 ** ("", "k", "m", "g", "t", "p").index(unit.lower()))


def human_duration(seconds: float) -> str:
    """How docker speaks of an age: ``About an hour``."""
    minutes, hours = int(seconds // 60), int(seconds / 3600 + 0.5)
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return "1 second" if int(seconds) == 1 else f"{int(seconds)} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for limit, length, name in ((24 * 14, 24, "days"), (24 * 60, 24 * 7, "weeks"), (24 * 730, 24 * 30, "months")):
        if hours < limit:
            return f"{hours // length} {name}"
    return f"{hours // (24 * 365)} years"


def ago(unix_seconds: float) -> str:
    """``5 minutes ago``; N/A for a zero time."""
    return f"{human_duration(time.time() - unix_seconds)} ago" if unix_seconds > 0 else "N/A"


def parse_time(text: str) -> datetime:
    """RFC 3339 with up to nine digits of a second."""
    whole, fraction, zone = re.fullmatch(r"([^.Zz+]+?)(\.\d+)?([Zz]|[+-]\d\d:\d\d)?", text).groups()  # type: ignore[union-attr]
    micro = (fraction or ".0")[:7]
    return datetime.fromisoformat(f"{whole}{micro}{'+00:00' if (zone or 'Z') in 'Zz' else zone}".replace(" ", "T"))


def local_time(moment: datetime) -> str:
    """As ``docker ps`` prints CreatedAt: ``2026-01-02 03:04:05 +0000 UTC``."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %z %Z")


def local_unix(unix_seconds: float) -> str:
    return local_time(datetime.fromtimestamp(unix_seconds, UTC))


def parse_duration(text: str) -> float:
    """Go's ``1h30m``, ``1.5s`` → seconds. Raises ValueError."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    if rest == "0":
        return 0.0
    total, end = 0.0, 0
    for match in _DURATION_PART.finditer(rest):
        if match.start() != end:
            raise ValueError(text)
        total += float(match[1]) * _SECONDS[match[2]]
        end = match.end()
    if not end or end != len(rest):
        raise ValueError(text)
    return sign * total


def timestamp(text: str | None) -> str | None:
    """A moment for since and until, as unix seconds: given so, as RFC 3339, or as a duration before now."""
    if not text:
        return None
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return text
    try:
        return f"{time.time() - parse_duration(text):.9f}"
    except ValueError:
        pass
    try:
        moment = parse_time(text)
    except (ValueError, AttributeError):
        raise CliError(f'failed to parse value as time or duration: "{text}"') from None
    local = re.search(r"([Zz]|[+-]\d\d:\d\d)$", text) is None
    return f"{(moment.replace(tzinfo=None).astimezone() if local else moment).timestamp():.9f}"
