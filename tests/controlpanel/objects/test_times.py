"""Docker's times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlpanel.objects import times


@given(st.integers(min_value=0, max_value=4_000_000_000 * times.NANO))
def test_what_is_rendered_is_parsed(moment: int) -> None:
    assert times.parse(times.render(moment)) == moment


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_500_000_000, "1970-01-01T00:00:01.5Z"),
        (1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001Z"),
    ],
)
def test_trailing_zeros_are_dropped(nanoseconds: int, text: str) -> None:
    assert times.render(nanoseconds) == text


def test_zero_time_is_before_1970() -> None:
    assert times.parse(times.ZERO) < 0


@pytest.mark.parametrize("text", ["", "yesterday", "2023-11-14", "2023-11-14T22:13:20.xZ"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        times.parse(text)
