"""Restart policies, by Docker's rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.restart import FIRST_DELAY, LAST_DELAY, LONG_RUN, Run, delay

FAILED = Run("always", 0, 1, 0, 0, 0, manually_stopped=False, cancelled=False)


@pytest.mark.parametrize(
    ("changes", "restarts"),
    [
        ({"policy": "no"}, False),
        ({"policy": "always"}, True),
        ({"policy": "always", "exit_code": 0}, True),
        ({"policy": "always", "manually_stopped": True}, True),
        ({"policy": "always", "cancelled": True}, False),
        ({"policy": "unless-stopped"}, True),
        ({"policy": "unless-stopped", "manually_stopped": True}, False),
        ({"policy": "on-failure"}, True),
        ({"policy": "on-failure", "exit_code": 0}, False),
        ({"policy": "on-failure", "maximum": 3, "restarts": 2}, True),
        ({"policy": "on-failure", "maximum": 3, "restarts": 3}, False),
    ],
)
def test_who_is_restarted(changes: dict[str, object], restarts: bool) -> None:
    assert (delay(FAILED._replace(**changes)) is not None) is restarts  # type: ignore[arg-type]


def test_short_runs_double_the_pause_up_to_a_minute() -> None:
    pauses, last = [], 0
    for _ in range(12):
        last = delay(FAILED._replace(last_delay=last)) or 0
        pauses.append(last)
    assert pauses[:4] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY, 8 * FIRST_DELAY]
    assert pauses[-1] == LAST_DELAY


def test_a_long_run_starts_over() -> None:
    assert delay(FAILED._replace(last_delay=LAST_DELAY, duration=LONG_RUN)) == FIRST_DELAY


@given(st.integers(min_value=0, max_value=2 * LAST_DELAY), st.integers(min_value=0, max_value=2 * LONG_RUN))
def test_the_pause_stays_within_its_bounds(last: int, duration: int) -> None:
    pause = delay(FAILED._replace(last_delay=last, duration=duration))
    assert pause is not None
    assert FIRST_DELAY <= pause <= LAST_DELAY or (last and last < FIRST_DELAY)
