"""The containers list that changes live, with a usage column; also tells when images change."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from asgiref.sync import sync_to_async

from controlpanel.objects import outage
from controlpanel.panel import listing, sampling
from controlpanel.panel.messages import Incoming
from controlpanel.panel.topics.topic import Page, Topic
from controlpanel.streams import hub

# Several events within this time (``docker run`` makes four) are answered by one message.
COALESCE = 0.1
RETRY_SECONDS = 1.0
# As many as the small line in a row shows.
HISTORY_POINTS = 60
# Events of things that happen inside a container change nothing in the list.
QUIET = ("exec_", "top", "resize", "export", "archive-path", "copy", "extract-to-dir", "attach", "detach")


class ContainersTopic(Topic):
    """Subscribes first and reads the list after that, so no change between the two is lost.

    ``_shown`` are the IDs that the page has: usage is told of them alone.
    """

    def __init__(self, page: Page, channel: int, request: Incoming) -> None:
        super().__init__(page, channel, request)
        self._shown: set[str] = set()

    async def run(self) -> None:
        async with hub.subscribe(self.page) as queue, asyncio.TaskGroup() as tasks:
            await self._send_all()
            tasks.create_task(self._usage())
            while True:
                entries = await _gather(queue)
                while not await self._answered(entries):
                    entries = [None]
                    await asyncio.sleep(RETRY_SECONDS)

    async def _answered(self, entries: list[hub.Entry | None]) -> bool:
        """False when the database is away: then the whole list is due as soon as it is back."""
        try:
            await self._answer(entries)
        except outage.ERRORS:
            return False
        return True

    async def _answer(self, entries: list[hub.Entry | None]) -> None:
        if None in entries:
            # The event stream had a gap: what is in the list may be stale, removed containers included.
            await self._send_all()
            await self._send({"type": "images.changed", "channel": self.channel})
            return
        events = [entry.event for entry in entries if entry is not None]
        changed = {event["Actor"]["ID"] for event in events if _changes_container(event)}
        if changed:
            await self._send_changed(changed)
        if any(event["Type"] == "image" for event in events):
            await self._send({"type": "images.changed", "channel": self.channel})

    async def _send_all(self) -> None:
        rows = await sync_to_async(listing.containers)(await self.page.require(self.action))
        self._shown = {row["id"] for row in rows}
        sampler = sampling.sampler()
        history = {row["id"]: points for row in rows if (points := sampler.history(row["id"])[-HISTORY_POINTS:])}
        await self._send({"type": "containers.all", "channel": self.channel, "containers": rows, "history": history})

    async def _send_changed(self, changed: set[str]) -> None:
        rows = await sync_to_async(listing.containers)(await self.page.require(self.action), changed)
        present = {row["id"] for row in rows}
        removed = sorted((changed - present) & self._shown)
        self._shown = (self._shown - changed) | present
        await self._send(
            {"type": "containers.changed", "channel": self.channel, "containers": rows, "removed": removed}
        )

    async def _usage(self) -> None:
        sampler = sampling.sampler()
        async with aclosing(sampler.ticks()) as ticks:
            async for _ in ticks:
                # A page that lags behind gets a later one instead of an old one.
                if self.window.is_open and sampler.usage:
                    usage = {key: point for key, point in sampler.usage.items() if key in self._shown}
                    await self._send({"type": "containers.usage", "channel": self.channel, "usage": usage})

    async def _send(self, message: Any) -> None:
        await self.page.require(self.action)
        await self.page.send_message(self.channel, message)


async def _gather(queue: hub.Queue) -> list[hub.Entry | None]:
    """At least one entry, and whatever else comes while it is being waited a moment."""
    entries = [await queue.get()]
    await asyncio.sleep(COALESCE)
    while not queue.empty():
        entries.append(queue.get_nowait())
    return entries


def _changes_container(event: dict[str, Any]) -> bool:
    return event["Type"] == "container" and not str(event["Action"]).startswith(QUIET)
