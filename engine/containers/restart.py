"""Restart policies: pure decisions, by Docker's rules."""

from __future__ import annotations

from typing import NamedTuple

from engine.rfc3339 import NANO

FIRST_DELAY = NANO // 10
LAST_DELAY = 60 * NANO
LONG_RUN = 10 * NANO


class Run(NamedTuple):
    """What a decision needs: the policy, the run that ended, and what went before. Times in ns."""

    policy: str
    maximum: int
    exit_code: int
    duration: int
    restarts: int
    last_delay: int
    manually_stopped: bool
    cancelled: bool


def delay(run: Run) -> int | None:
    """Nanoseconds until the next start, or None when the container stays down.

    100 ms, doubled at each short run up to a minute; a run of 10 s or more starts over.
    """
    if not wants_restart(run):
        return None
    if not run.last_delay or run.duration >= LONG_RUN:
        return FIRST_DELAY
    return min(run.last_delay * 2, LAST_DELAY)


def wants_restart(run: Run) -> bool:
    """Whether the policy starts the container again. ``cancelled`` is a stop by hand while it ran."""
    if run.cancelled:
        return False
    if run.policy == "always":
        return True
    if run.policy == "unless-stopped":
        return not run.manually_stopped
    if run.policy == "on-failure":
        return run.exit_code != 0 and (not run.maximum or run.restarts < run.maximum)
    return False
