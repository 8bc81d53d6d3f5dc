"""Time limits of many connections with one timer, which is armed only while there are any."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Expiring(Protocol):
    def expire(self) -> None:
        """The time is over."""


class Deadlines:
    """Moving a deadline is a dictionary's assignment: the timer goes off for what the earliest once was, and looks."""

    def __init__(self) -> None:
        self._due: dict[Expiring, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def set(self, who: Expiring, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        self._due[who] = due
        if self._timer is None or due < self._timer.when():
            self._arm(loop, due)

    def clear(self, who: Expiring) -> None:
        self._due.pop(who, None)

    def __contains__(self, who: object) -> bool:
        return who in self._due

    def _arm(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(due, self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        now = loop.time()
        late = [who for who, due in self._due.items() if due <= now]
        for who in late:
            del self._due[who]
            who.expire()
        if self._due and self._timer is None:
            self._arm(loop, min(self._due.values()))
