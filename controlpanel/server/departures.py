"""How a departure is noticed that nobody would read of.

epoll does not tell: it is told to look at connections that can be read, and the end of file is read already.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable


def has_left(fd: int) -> bool:
    """Whether the other end is closed altogether: POLLHUP or POLLERR, which poll(2) always reports.

    One that has only finished sending has not left; over TCP it cannot be told from one that has closed.
    """
    poller = select.poll()
    poller.register(fd, 0)
    return bool(poller.poll(0))


class Unread:
    """Asks connections that are not read, once a second, whether their client has left."""

    SECONDS = 1.0

    def __init__(self) -> None:
        self._asked: dict[object, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, who: object, look: Callable[[], None]) -> None:
        self._asked[who] = look
        self._arm()

    def remove(self, who: object) -> None:
        self._asked.pop(who, None)

    def _arm(self) -> None:
        if self._timer is None and self._asked:
            self._timer = asyncio.get_running_loop().call_later(self.SECONDS, self._ask)

    def _ask(self) -> None:
        self._timer = None
        for look in list(self._asked.values()):
            look()
        self._arm()
