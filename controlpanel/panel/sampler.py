"""One reader of all running containers' usage for all pages, with the last minutes of each kept in memory.

A connection per container, as the Engine API offers it, would cost one task per row and page. Here one pass over all
counters every INTERVAL serves everybody; with no page open it goes on for LINGER, so that a reload finds history.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable

from controlpanel.panel.messages import Point
from controlpanel.panel.usage import Reading, point

INTERVAL = 2.0
HISTORY_POINTS = 300
LINGER = 600.0

logger = logging.getLogger(__name__)

# All running containers' counters, by container id.
ReadAll = Callable[[], Awaitable[dict[str, Reading]]]


class Sampler:
    """Belongs to one event loop. ``usage`` holds the newest point of each running container."""

    def __init__(self, read_all: ReadAll, rest: Callable[[], None], interval: float = INTERVAL) -> None:
        """``rest`` is called when nobody has watched for LINGER."""
        self.usage: dict[str, Point] = {}
        self._history: dict[str, deque[Point]] = {}
        self._readings: dict[str, Reading] = {}
        self._read_all = read_all
        self._rest = rest
        self._interval = interval
        self._listeners = 0
        self._last_wanted = time.monotonic()
        self._ticked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def history(self, container_id: str) -> list[Point]:
        """Oldest first; at most HISTORY_POINTS."""
        return list(self._history.get(container_id, ()))

    async def ticks(self) -> AsyncGenerator[None, None]:
        """Yield after each pass. While anybody iterates, passes are made."""
        self._listeners += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            while True:
                await self._ticked.wait()
                yield
        finally:
            self._listeners -= 1
            self._last_wanted = time.monotonic()

    async def _run(self) -> None:
        while self._wanted():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval * 10):
                    await self._pass()
            ticked, self._ticked = self._ticked, asyncio.Event()
            ticked.set()
            # Rates need two passes: the first figures come early.
            first = self._readings and not self.usage
            await asyncio.sleep(self._interval / 4 if first else self._interval)
        self._forget(set())
        self._rest()

    def _wanted(self) -> bool:
        return self._listeners > 0 or time.monotonic() - self._last_wanted < LINGER

    async def _pass(self) -> None:
        try:
            samples = await self._read_all()
        except Exception:
            logger.exception("usage could not be read")
            return
        for container_id, sample in samples.items():
            self._take(container_id, sample)
        self._forget(set(samples))

    def _take(self, container_id: str, new: Reading) -> None:
        old = self._readings.get(container_id)
        self._readings[container_id] = new
        if old is not None:
            self.usage[container_id] = point(old, new)
            self._history.setdefault(container_id, deque(maxlen=HISTORY_POINTS)).append(self.usage[container_id])

    def _forget(self, running: set[str]) -> None:
        for gone in self._readings.keys() - running:
            del self._readings[gone]
            self.usage.pop(gone, None)
            self._history.pop(gone, None)
