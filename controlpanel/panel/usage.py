"""From counters to what a chart shows: percent and bytes per second between two readings."""

from __future__ import annotations

from typing import NamedTuple

from controlpanel.panel.messages import Point


class Reading(NamedTuple):
    """What `engine.containers.counters.Counters` said at one time.

    ``at`` is nanoseconds since 1970, ``cpu`` nanoseconds of CPU time, ``processes`` a number, the rest bytes.
    """

    at: int
    cpu: int
    memory: int
    limit: int
    received: int
    sent: int
    read: int
    written: int
    processes: int


def point(before: Reading, after: Reading) -> Point:
    """The rates between two readings of one container; a counter that went back (a restart) counts as 0."""
    elapsed = max(1, after.at - before.at)

    def rate(earlier: int, later: int) -> int:
        return max(0, later - earlier) * 1_000_000_000 // elapsed

    return (
        after.at // 1_000_000,
        round(max(0, after.cpu - before.cpu) * 100 / elapsed, 2),
        after.memory,
        after.limit,
        rate(before.received, after.received),
        rate(before.sent, after.sent),
        rate(before.read, after.read),
        rate(before.written, after.written),
        after.processes,
    )
