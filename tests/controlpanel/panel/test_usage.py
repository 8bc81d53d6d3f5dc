"""Rates from counters, and the sampler that keeps them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controlpanel.panel import sampling
from controlpanel.panel.sampler import HISTORY_POINTS, Sampler
from controlpanel.panel.usage import Reading, point
from controlpanel.panel.window import Window
from engine.errors import SystemFailure
from engine.kernel.cgroups import Cgroup
from engine.layout import Layout

if TYPE_CHECKING:
    from pytest_django import Settings

SECOND = 1_000_000_000


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
        self.rests = 0

    def rest(self) -> None:
        self.rests += 1

    async def read_all(self) -> dict[str, Reading]:
        self.passes += 1
        if self.fails:
            raise OSError("no cgroups")
        return {each: Reading(self.passes, self.passes * 1000, 0, 0, 0, 0, 0, 0, 1) for each in self.running}


async def after(sampler: Sampler, passes: int) -> None:
    ticks = sampler.ticks()
    for _ in range(passes):
        await anext(ticks)
    await ticks.aclose()


async def test_one_pass_serves_all_listeners() -> None:
    machine = Machine("a", "b")
    sampler = Sampler(machine.read_all, machine.rest, interval=0.01)
    await asyncio.gather(after(sampler, 3), after(sampler, 3))
    assert set(sampler.usage) == {"a", "b"}
    assert machine.passes <= 4


async def test_history_is_bounded_and_ends_with_the_container() -> None:
    machine = Machine("a")
    sampler = Sampler(machine.read_all, machine.rest, interval=0)
    await after(sampler, HISTORY_POINTS + 20)
    assert len(sampler.history("a")) == HISTORY_POINTS
    machine.running.clear()
    await after(sampler, 2)
    assert sampler.history("a") == []
    assert sampler.usage == {}


async def test_a_failure_is_logged_and_passes_go_on(caplog: Any) -> None:
    machine = Machine("a")
    sampler = Sampler(machine.read_all, machine.rest, interval=0)
    machine.fails = True
    await after(sampler, 2)
    machine.fails = False
    await after(sampler, 3)
    assert "usage could not be read" in caplog.text
    assert sampler.usage["a"]


async def test_the_reader_rests_when_nobody_has_watched_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlpanel.panel.sampler.LINGER", 0.0)
    machine = Machine("a")
    sampler = Sampler(machine.read_all, machine.rest, interval=0)
    await after(sampler, 2)
    assert sampler._task is not None
    await sampler._task
    assert machine.rests == 1
    await after(sampler, 2)
    assert sampler.usage["a"]


@pytest.mark.kernel
async def test_a_process_of_its_own_reads_what_a_cgroup_has_used(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    """The process is started anew after it was killed, and ends with its reader."""
    name = f"muelle-test-{os.getpid()}"
    settings.MUELLE_LAYOUT = Layout(tmp_path, tmp_path)
    monkeypatch.setattr(Layout, "cgroup_parent", f"/{name}")
    monkeypatch.setattr(sampling, "_running", lambda: {"a" * 64: [], "b" * 64: []})
    cgroup, reader = Cgroup(f"/{name}/{'a' * 64}"), sampling.Reader()
    cgroup.create()
    try:
        first = await reader.read_all()
        assert list(first) == ["a" * 64], "what has no cgroup has ended"
        process = reader._process
        assert process is not None
        process.kill()
        await process.wait()
        with pytest.raises((SystemFailure, ConnectionError)):
            await reader.read_all()
        second = await reader.read_all()
        assert second["a" * 64].at > first["a" * 64].at
    finally:
        process = reader._process
        reader.close()
        cgroup.delete()
        Cgroup(f"/{name}").delete()
    assert process is not None
    assert await process.wait() != 0


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
