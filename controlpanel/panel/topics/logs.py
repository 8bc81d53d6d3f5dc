"""A container's log: its last lines, then each new one, over all its runs, for as long as the page looks."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from django.conf import settings

from controlpanel.panel.topics.topic import Topic
from controlpanel.streams import hub, logs
from engine.containers.logs import Follower, Record, Selection
from engine.errors import NotFound
from engine.rfc3339 import ZERO

if TYPE_CHECKING:
    from pathlib import Path

    from controlpanel.objects.models import Container
    from controlpanel.panel.messages import Line

DEFAULT_TAIL = 1000
MAX_TAIL = 10_000
LINES_PER_MESSAGE = 500


class LogsTopic(Topic):
    """Follows one run of the container until its end, waits for the next start, goes on after the last line sent."""

    async def run(self) -> None:
        tail = self.request.number("tail", DEFAULT_TAIL, high=MAX_TAIL)
        last = ""
        async with hub.subscribe(self.page) as queue:
            while True:
                container = await self.container()
                logs.require_readable(container)
                last = await self._follow(container, tail, last)
                await self.page.send_message(self.channel, {"type": "logs.ended", "channel": self.channel})
                await self._next_start(queue, container)
                tail = MAX_TAIL

    async def _follow(self, container: Container, tail: int, seen: str) -> str:
        """Send what was written after ``seen``; return the time of the last line."""
        last = seen
        async with aclosing(logs.follow(container, Selection(), tail)) as batches:
            async for batch in batches:
                if not last:
                    await self._tell_older(container, batch[0])
                await self._send([record for record in batch if record.time > seen])
                last = batch[-1].time
        return last

    async def _tell_older(self, container: Container, first: Record) -> None:
        """Say so when the log begins before the first line of the tail, which the page cannot know."""
        if await asyncio.to_thread(_begins_before, settings.MUELLE_LAYOUT.log(container.id), first):
            await self.page.send_message(self.channel, {"type": "logs.older", "channel": self.channel})

    async def _send(self, records: list[Record]) -> None:
        await self.page.require(self.action)
        for start in range(0, len(records), LINES_PER_MESSAGE):
            lines = [line_of(record) for record in records[start : start + LINES_PER_MESSAGE]]
            await self.page.send_message(self.channel, {"type": "logs.lines", "channel": self.channel, "lines": lines})

    async def _next_start(self, queue: hub.Queue, container: Container) -> None:
        """Return when the container runs again; raise NotFound when it is removed."""
        while True:
            entry = await queue.get()
            if entry is not None and entry.event["Actor"]["ID"] != container.id:
                continue
            if entry is not None and entry.event["Action"] == "destroy":
                raise NotFound("the container was removed")
            present = await self.container()
            if present.is_alive and present.started_at not in (ZERO, container.started_at):
                return


def _begins_before(path: Path, first: Record) -> bool:
    """Whether the log at ``path``, its rotated files included, has a line that is older than ``first``.

    Reads the first block of the oldest file, however long the log is. A log that was removed meanwhile has none.
    """
    with Follower(path, snapshot=True) as log:
        oldest = log.read()
    return bool(oldest) and oldest[0].time < first.time


def line_of(record: Record) -> Line:
    """The record as a line. Of a progress bar, which rewrites its line after each return, the last state counts."""
    text = record.line.decode("utf-8", "replace").rstrip("\r\n").rpartition("\r")[2]
    return (record.time, "e" if record.stream == "stderr" else "o", text)
