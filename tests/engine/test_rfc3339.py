"""Docker's times, compared with the standard library's calendar."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import rfc3339
from engine.rfc3339 import FIRST, LAST, NANO

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.integers(FIRST, LAST)
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59)


@given(moments)
def test_what_is_rendered_is_parsed(moment: int) -> None:
    assert rfc3339.parse(rfc3339.render(moment)) == moment
    assert rfc3339.parse(rfc3339.render_fixed(moment)) == moment


@given(moments, moments)
def test_fixed_times_sort_as_text(first: int, second: int) -> None:
    texts = rfc3339.render_fixed(first), rfc3339.render_fixed(second)
    assert (texts[0] < texts[1], texts[0] == texts[1]) == (first < second, first == second)
    assert len(texts[0]) == len("2026-01-02T03:04:05.000000006Z")


@given(st.datetimes(), offsets)
def test_any_offset_is_read_as_the_standard_library_reads_it(local: datetime, minutes: int) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (moment.replace(tzinfo=UTC) - EPOCH - timedelta(minutes=minutes)) // timedelta(microseconds=1)
    assert rfc3339.parse(moment.isoformat()) == expected * 1000


@given(st.datetimes())
def test_dates_are_the_calendars(moment: datetime) -> None:
    microseconds = (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    assert rfc3339.render_fixed(microseconds * 1000).startswith(moment.isoformat(timespec="microseconds"))


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_500_000_000, "1970-01-01T00:00:01.5Z"),
        (10 * NANO, "1970-01-01T00:00:10Z"),
        (1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001Z"),
        (FIRST - 1, rfc3339.ZERO),
        (LAST + 1, "9999-12-31T23:59:59.999999999Z"),
    ],
)
def test_trailing_zeros_are_dropped_and_the_far_is_brought_near(nanoseconds: int, text: str) -> None:
    assert rfc3339.render(nanoseconds) == text


def test_logs_have_nine_digits() -> None:
    assert rfc3339.render_fixed(1_700_000_000_000_000_042) == "2023-11-14T22:13:20.000000042Z"


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14T22:13:20.xZ", "2023-11-14T22:13:20.Z",
        "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z", "2023-01-00T00:00:00Z",
        "2023-04-31T00:00:00Z", "0000-01-01T00:00:00Z", "2023-11-14T24:00:00Z", "2023-11-14T22:60:20Z",
        "2023-11-14T22:13:60Z", "2023-11-14T22:13:20+24:00", "2023-11-14T22:13:20Z\n", "\uff12023-11-14T22:13:20Z",
    ],
)  # fmt: skip
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        rfc3339.parse(text)


@given(st.text(alphabet="0123456789-+:.TZtz ", max_size=40))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        rfc3339.parse(text)


def test_a_shim_loads_no_calendar() -> None:
    """What the launcher imports, every shim holds."""
    program = "import sys, engine.rfc3339; sys.exit('datetime' in sys.modules)"
    subprocess.run([sys.executable, "-S", "-c", program], check=True)
