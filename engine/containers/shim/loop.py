"""A small event loop for launcher and shim: epoll, and timers. asyncio would triple the memory of an idle shim."""

from __future__ import annotations

import heapq
import itertools
import os
import select
import time
from collections.abc import Callable, Iterable

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

    def abandon(self) -> None:
        """Close what is watched, and the epoll descriptor, whose object in the kernel a forked child has in common."""
        self._epoll.close()
        for fd in self._handlers:
            os.close(fd)

    def _patience(self) -> float:
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else -1

    def _run_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()


def await_readable(fds: Iterable[int], seconds: float) -> list[int]:
    """Those of them that can be read or have ended, once there is one; none after that time.

    Not select(2), which takes no number beyond 1023.
    """
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _ in poll.poll(1000 * seconds)]
