"""Rates from counters, and the sampler that keeps them."""

from __future__ import annotations

import asyncio
from typing import Any

from controlpanel.panel.sampler import HISTORY_POINTS, Sampler
from controlpanel.panel.usage import Reading, point, reading
from controlpanel.panel.window import Window

SECOND = 1_000_000_000


def sample(cpu: int = 0, **more: Any) -> dict[str, Any]:
    return {"cpu_stats": {"cpu_usage": {"total_usage": cpu}}, **more}


def test_a_sample_of_cgroup_v1() -> None:
    found = reading(
        sample(
            7,
            memory_stats={"usage": 100, "limit": 500, "stats": {"total_inactive_file": 30}},
            networks={"eth0": {"rx_bytes": 1, "tx_bytes": 2}, "eth1": {"rx_bytes": 3, "tx_bytes": 4}},
            blkio_stats={
                "io_service_bytes_recursive": [
                    {"op": "Read", "value": 5},
                    {"op": "Write", "value": 6},
                    {"op": "read", "value": 7},
                    {"op": "Total", "value": 99},
                ]
            },
            pids_stats={"current": 8},
        ),
        at=SECOND,
    )
    assert found == Reading(at=SECOND, cpu=7, memory=70, limit=500, received=4, sent=6, read=12, written=6, processes=8)


def test_a_sample_of_cgroup_v2_without_network_and_disk() -> None:
    found = reading(sample(memory_stats={"usage": 10, "stats": {"inactive_file": 20}}, blkio_stats={}), at=0)
    assert (found.memory, found.received, found.read) == (10, 0, 0)


def test_rates_between_two_readings() -> None:
    before = Reading(0, 0, 0, 0, 0, 0, 0, 0, 0)
    after = Reading(2 * SECOND, SECOND, 50, 100, 2000, 4000, 6000, 8000, 3)
    assert point(before, after) == (2000, 50.0, 50, 100, 1000, 2000, 3000, 4000, 3)


def test_counters_that_began_anew_are_no_negative_rate() -> None:
    before = Reading(0, 10 * SECOND, 0, 0, 100, 100, 100, 100, 1)
    assert point(before, Reading(SECOND, 0, 5, 9, 0, 0, 0, 0, 1)) == (1000, 0.0, 5, 9, 0, 0, 0, 0, 1)


class Machine:
    """Containers whose counters grow with each pass."""

    def __init__(self, *ids: str) -> None:
        self.running = set(ids)
        self.passes = 0
        self.fails = False

    async def read_all(self) -> dict[str, dict[str, Any]]:
        self.passes += 1
        if self.fails:
            raise OSError("no cgroups")
        return {each: sample(self.passes * 1000) for each in self.running}


async def after(sampler: Sampler, passes: int) -> None:
    ticks = sampler.ticks()
    for _ in range(passes):
        await anext(ticks)
    await ticks.aclose()


async def test_one_pass_serves_all_listeners() -> None:
    machine = Machine("a", "b")
    sampler = Sampler(machine.read_all, interval=0.01)
    await asyncio.gather(after(sampler, 3), after(sampler, 3))
    assert set(sampler.usage) == {"a", "b"}
    assert machine.passes <= 4


async def test_history_is_bounded_and_ends_with_the_container() -> None:
    machine = Machine("a")
    sampler = Sampler(machine.read_all, interval=0)
    await after(sampler, HISTORY_POINTS + 20)
    assert len(sampler.history("a")) == HISTORY_POINTS
    machine.running.clear()
    await after(sampler, 2)
    assert sampler.history("a") == []
    assert sampler.usage == {}


async def test_a_failure_is_logged_and_passes_go_on(caplog: Any) -> None:
    machine = Machine("a")
    sampler = Sampler(machine.read_all, interval=0)
    machine.fails = True
    await after(sampler, 2)
    machine.fails = False
    await after(sampler, 3)
    assert "usage could not be read" in caplog.text
    assert sampler.usage["a"]


async def test_a_window_waits_for_confirmation() -> None:
    window = Window(limit=10)
    await window.take(15)
    waiting = asyncio.create_task(window.take(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    window.confirm(6)
    await waiting
    assert not window.is_open
    window.confirm(1000)
    assert window.is_open
