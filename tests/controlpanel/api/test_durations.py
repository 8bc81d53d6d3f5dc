"""Docker's words for how long ago something was, and the Status column."""

from __future__ import annotations

import pytest

from controlpanel.api import durations

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "Less than a second"),
        (0.9, "Less than a second"),
        (1.5, "1 second"),
        (59, "59 seconds"),
        (MINUTE, "About a minute"),
        (2 * MINUTE, "2 minutes"),
        (59 * MINUTE, "59 minutes"),
        (HOUR, "About an hour"),
        (1.6 * HOUR, "2 hours"),
        (47 * HOUR, "47 hours"),
        (2 * DAY, "2 days"),
        (13 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (60 * DAY, "2 months"),
        (800 * DAY, "2 years"),
    ],
)
def test_words(seconds: float, words: str) -> None:
    assert durations.words(seconds) == words


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("created", "Created"),
        ("running", "Up 5 minutes"),
        ("paused", "Up 5 minutes (Paused)"),
        ("restarting", "Restarting (3) 10 seconds ago"),
        ("exited", "Exited (3) 10 seconds ago"),
        ("removing", "Removal In Progress"),
        ("dead", "Dead"),
    ],
)
def test_status(state: str, text: str) -> None:
    now = durations.seconds_of("2026-01-01T00:05:00.25Z")
    assert durations.status(state, 3, "2026-01-01T00:00:00Z", "2026-01-01T00:04:50.1Z", now) == text
