"""A small event loop for launcher and shim: epoll, and timers. asyncio would triple the memory of an idle shim."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
# Always reported by the kernel, whether asked for or not.
HANGUP = select.EPOLLHUP | select.EPOLLERR

Handler = Callable[[int], None]


class Loop:
    """Calls ``handler(events)`` for each ready descriptor until ``stop`` is called."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._running = False

    def watch(self, fd: int, events: int, handler: Handler) -> None:
        """Begin to watch ``fd``, or change what is watched."""
        if fd in self._handlers:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Stop watching; to be called before the descriptor is closed. Not watched is fine."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call ``callback`` once, after ``seconds``."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), callback))

    def run(self) -> None:
        self._running = True
        while self._running:
            for fd, events in self._epoll.poll(self._patience()):
                # A handler that ran before in this round may have closed this descriptor.
                handler = self._handlers.get(fd)
                if handler is not None:
                    handler(events)
            self._run_timers()

    def stop(self) -> None:
        self._running = False

    def close(self) -> None:
        """Close the epoll descriptor; a forked child does this, since it shares the kernel's object with its parent."""
        self._epoll.close()

    def _patience(self) -> float:
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else -1

    def _run_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()
