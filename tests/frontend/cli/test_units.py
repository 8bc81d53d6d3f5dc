"""Sizes, ages and times."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend.cli import units
from frontend.cli.errors import CliError


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (999, "999B"), (1_982_000, "1.98MB"), (164_000_000, "164MB"), (5e12, "5TB")]
)
def test_decimal_sizes(size: float, text: str) -> None:
    assert units.decimal_size(size) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0B"), (1_044_480, "1020KiB"), (25_276_502_016, "23.54GiB")])
def test_binary_sizes(size: float, text: str) -> None:
    assert units.binary_size(size) == text


@pytest.mark.parametrize(
    ("text", "size"), [("512", 512), ("64m", 64 << 20), ("1.5g", 3 << 29), ("2KB", 2048), ("1GiB", 1 << 30)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "m", "1x", "1 2", "\u0661"])
def test_bad_sizes_are_refused(text: str) -> None:
    with pytest.raises(CliError):
        units.parse_size(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"), (125, "2 minutes"),
        (3600, "About an hour"), (7200, "2 hours"), (86400 * 3, "3 days"), (86400 * 20, "2 weeks"),
        (86400 * 90, "3 months"), (86400 * 800, "2 years"),
    ],
)  # fmt: skip
def test_ages(seconds: float, text: str) -> None:
    assert units.human_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"), [("1h30m", 5400.0), ("1.5s", 1.5), ("-2m", -120.0), ("0", 0.0), ("100ms", 0.1)]
)
def test_durations(text: str, seconds: float) -> None:
    assert units.parse_duration(text) == pytest.approx(seconds)


@given(st.text(max_size=10))
def test_durations_raise_value_error_only(text: str) -> None:
    try:
        units.parse_duration(text)
    except ValueError:
        return


def test_moments_of_since_and_until() -> None:
    assert units.timestamp(None) is None
    assert units.timestamp("1700000000.5") == "1700000000.5"
    assert units.timestamp("2026-01-02T03:04:05Z") == "1767323045.000000000"
    assert units.timestamp("2026-01-02T03:04:05.25+01:00") == "1767319445.250000000"
    assert float(units.timestamp("10m") or 0) == pytest.approx(time.time() - 600, abs=5)
    with pytest.raises(CliError, match="failed to parse value as time or duration"):
        units.timestamp("yesterday")


@given(st.text(max_size=12))
def test_moments_raise_nothing_else(text: str) -> None:
    try:
        units.timestamp(text)
    except CliError:
        return
