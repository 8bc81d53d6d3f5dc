"""Flow control of one channel: the page confirms what it has shown, and no more than LIMIT is ever on its way.

TCP's back-pressure ends in the browser, which queues what the page has not handled: without confirmations a fast log
would fill the tab's memory, and the server could not tell a page that lags behind.
"""

from __future__ import annotations

import asyncio

LIMIT = 512 * 1024


class Window:
    """Counts bytes that were sent and not yet confirmed."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._outstanding = 0
        self._open = asyncio.Event()
        self._open.set()

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    async def take(self, size: int) -> None:
        """Wait until something may be sent, then count ``size`` bytes. One large piece may exceed the limit."""
        await self._open.wait()
        self._outstanding += size
        self._update()

    def confirm(self, size: int) -> None:
        self._outstanding = max(0, self._outstanding - size)
        self._update()

    def _update(self) -> None:
        if self._outstanding < self._limit:
            self._open.set()
        else:
            self._open.clear()
