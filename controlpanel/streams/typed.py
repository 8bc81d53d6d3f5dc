"""What a client types, on its way to a process that may not read it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

# What may wait for a process that does not read: a large paste, not a memory leak.
LIMIT = 4 * 1024 * 1024


class Typed:
    """Holds up to LIMIT bytes, in as few pieces as they can be passed on in."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._arrived = asyncio.Event()

    def put(self, data: bytes) -> bool:
        """Keep ``data`` until it is taken; False when that would be too much."""
        if len(self._waiting) + len(data) > LIMIT:
            return False
        self._waiting += data
        self._arrived.set()
        return True

    async def forward(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Pass everything to ``write``, one piece after the other, until this is cancelled or ``write`` fails."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            data, self._waiting = bytes(self._waiting), bytearray()
            await write(data)
