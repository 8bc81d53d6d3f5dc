"""The hub outlives its broker, and tells its listeners where entries may be missing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from django.conf import settings
from redis import Redis

from controlpanel.objects.events import FIELD, OWNER, Event, stream_key
from controlpanel.streams import hub as hubs
from controlpanel.streams.hub import QUEUE_SIZE, Hub
from engine.layout import Layout
from tests.controlpanel.streams.service import broker

PATIENCE = 20


class Viewer(NamedTuple):
    """Sees what happens in one project, and what belongs to none; without one it sees everything."""

    project: str = ""

    def sees(self, project: str) -> bool:
        return not self.project or project in {"", self.project}


EVERYBODY = Viewer()


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    place = Layout(tmp_path / "home", tmp_path / "run")
    place.run.mkdir()
    monkeypatch.setattr(settings, "MUELLE_BROKER_URL", f"redis+socket://{place.broker_socket}")
    return place


def publish(layout: Layout, *actions: str, project: str = "") -> None:
    with Redis(unix_socket_path=str(layout.broker_socket)) as client:
        for action in actions:
            event = json.dumps(Event("container", action, "id", {}, 1).to_json())
            client.xadd(stream_key(), {FIELD: event, OWNER: project})


async def test_listeners_are_told_of_gaps_and_hear_again_after_a_restart(layout: Layout) -> None:
    hub = Hub()
    async with asyncio.timeout(PATIENCE), hub.subscribe(EVERYBODY) as queue:
        with broker(layout):
            assert await queue.get() is None
            publish(layout, "start")
            entry = await queue.get()
            assert entry is not None
            assert entry.event["Action"] == "start"
        with broker(layout):
            assert await queue.get() is None
            publish(layout, "die")
            entry = await queue.get()
            assert entry is not None
            assert entry.event["Action"] == "die"
    await hub.close()


async def test_a_listener_that_lags_loses_entries_and_learns_of_it(layout: Layout) -> None:
    hub = Hub()
    with broker(layout):
        async with asyncio.timeout(PATIENCE), hub.subscribe(EVERYBODY) as lagging, hub.subscribe(EVERYBODY) as brisk:
            assert await brisk.get() is None
            publish(layout, *["tick"] * (QUEUE_SIZE + 10))
            for _ in range(QUEUE_SIZE + 10):
                assert await brisk.get() is not None
            assert lagging.qsize() < QUEUE_SIZE
            assert await lagging.get() is None
        await hub.close()


async def test_nothing_is_read_for_nobody(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "KEEP_SECONDS", 0.0)
    hub = Hub()
    with broker(layout):
        async with asyncio.timeout(PATIENCE):
            for _ in range(2):
                async with hub.subscribe(EVERYBODY) as queue:
                    assert await queue.get() is None
                    publish(layout, "start")
                    assert await queue.get() is not None
                del queue
                publish(layout, "die")
                while _readers(layout):
                    await asyncio.sleep(0.01)
        await hub.close()


def _readers(layout: Layout) -> int:
    with Redis(unix_socket_path=str(layout.broker_socket)) as client:
        return sum(each["cmd"] == "xread" for each in client.client_list())


async def test_what_happens_in_another_project_is_not_told(layout: Layout) -> None:
    hub = Hub()
    async with asyncio.timeout(PATIENCE), hub.subscribe(Viewer("mine")) as queue:
        with broker(layout):
            assert await queue.get() is None
            publish(layout, "start", project="theirs")
            publish(layout, "die", project="mine")
            publish(layout, "prune")
            heard = [await queue.get() for _ in range(2)]
            assert [entry and entry.event["Action"] for entry in heard] == ["die", "prune"]
            past = await hubs.history(Viewer("mine"), "-")
            assert [entry.event["Action"] for entry in past] == ["die", "prune"]
    await hub.close()
