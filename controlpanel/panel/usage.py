"""From Docker's cumulative stats to what a chart shows: percent and bytes per second between two samples."""

from __future__ import annotations

from typing import Any, NamedTuple

from controlpanel.panel.messages import Point


class Reading(NamedTuple):
    """The counters of one sample. ``at`` is nanoseconds since 1970, ``cpu`` nanoseconds of CPU time, the rest bytes."""

    at: int
    cpu: int
    memory: int
    limit: int
    received: int
    sent: int
    read: int
    written: int
    processes: int


def reading(sample: dict[str, Any], at: int) -> Reading:
    """The counters in Docker's stats JSON."""
    memory = sample.get("memory_stats") or {}
    networks = (sample.get("networks") or {}).values()
    return Reading(
        at=at,
        cpu=sample["cpu_stats"]["cpu_usage"]["total_usage"],
        memory=_used(memory),
        limit=int(memory.get("limit") or 0),
        received=sum(network["rx_bytes"] for network in networks),
        sent=sum(network["tx_bytes"] for network in networks),
        read=_transferred(sample, "read"),
        written=_transferred(sample, "write"),
        processes=int((sample.get("pids_stats") or {}).get("current") or 0),
    )


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


def _used(memory: dict[str, Any]) -> int:
    """Usage without the page cache that the kernel can drop at once, as the docker client computes it.

    cgroup v1 calls that ``total_inactive_file``, v2 ``inactive_file``.
    """
    usage = int(memory.get("usage") or 0)
    details = memory.get("stats") or {}
    cache = int(details.get("total_inactive_file") or details.get("inactive_file") or 0)
    return usage - cache if cache < usage else usage


def _transferred(sample: dict[str, Any], operation: str) -> int:
    entries = (sample.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    return sum(int(entry["value"]) for entry in entries if str(entry["op"]).lower() == operation)
