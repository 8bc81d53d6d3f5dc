"""How long ago, in Docker's words, and the Status text that is made of it."""

from __future__ import annotations

from controlpanel.objects.states import Status
from engine import rfc3339

STEPS = (
    # below so many hours: hours in one unit, its name
    (48, 1, "hours"),
    (24 * 7 * 2, 24, "days"),
    (24 * 30 * 2, 24 * 7, "weeks"),
    (24 * 365 * 2, 24 * 30, "months"),
)


def seconds_of(text: str) -> float:
    """Seconds since 1970 of a time of RFC 3339."""
    return rfc3339.parse(text) / rfc3339.NANO


def words(seconds: float) -> str:
    """``5 seconds``, ``About a minute``, ``3 weeks``: go-units' ``HumanDuration``."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return {0: "Less than a second", 1: "1 second"}.get(whole, f"{whole} seconds")
    minutes = whole // 60
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    for limit, unit, name in STEPS:
        if hours < limit:
            return f"{hours // unit} {name}"
    return f"{int(seconds / 3600) // 24 // 365} years"


def status(state: str, exit_code: int, started_at: str, finished_at: str, now: float) -> str:
    """The Status column of ``docker ps``."""
    match state:
        case Status.RUNNING:
            return f"Up {words(now - seconds_of(started_at))}"
        case Status.PAUSED:
            return f"Up {words(now - seconds_of(started_at))} (Paused)"
        case Status.RESTARTING:
            return f"Restarting ({exit_code}) {words(now - seconds_of(finished_at))} ago"
        case Status.REMOVING:
            return "Removal In Progress"
        case Status.DEAD:
            return "Dead"
        case Status.EXITED if finished_at != rfc3339.ZERO:
            return f"Exited ({exit_code}) {words(now - seconds_of(finished_at))} ago"
        case Status.EXITED:
            return f"Exited ({exit_code})"
    return "Created"
