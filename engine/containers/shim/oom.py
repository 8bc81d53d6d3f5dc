"""Notices when the kernel kills a process of the container for want of memory, at the moment when it does.

Version 1 has an eventfd for it (Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control"), which speaks before the
kernel kills. In version 2 poll(2) reports that the file of counters has changed (cgroups(7), "cgroup.events").
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable

from engine.containers.shim.loop import READ, Loop

_V1_FILE = "memory.oom_control"
# After the eventfd, the kernel still has to choose a victim and to kill it; seconds to wait before each look.
_LOOKS = (0.01, 0.05, 0.2, 1.0)


def open_watch(path: str) -> list[int]:
    """The file of counters at ``path``, and in version 1 the eventfd; nothing where the kernel does not count.

    For the starter: what it costs goes away with it.
    """
    opened: list[int] = []
    try:
        opened.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        if os.path.basename(path) == _V1_FILE:
            opened.append(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
            control = os.open(f"{os.path.dirname(path)}/cgroup.event_control", os.O_WRONLY | os.O_CLOEXEC)
            with open(control, "wb", buffering=0) as file:
                file.write(b"%d %d" % (opened[1], opened[0]))
    except OSError:
        return opened[:1]  # the kernel does not tell; what there is to count is still read at the end
    return opened


class OutOfMemory:
    """Calls ``tell`` when the counter has grown; ``tell`` answers whether somebody heard it.

    ``opened`` is what `open_watch` returned, owned from here on.
    """

    def __init__(self, loop: Loop, opened: list[int], tell: Callable[[], bool], counter: bytes = b"oom_kill") -> None:
        self._loop, self._opened, self._tell, self._counter, self._told = loop, opened, tell, counter, 0
        if len(opened) == 2:
            loop.watch(opened[1], READ, self._announced)
        elif opened:
            loop.watch(opened[0], select.EPOLLPRI, self._changed)

    @property
    def kills(self) -> int:
        """How many there were."""
        if not self._opened:
            return 0
        try:
            lines = os.pread(self._opened[0], 4096, 0).splitlines()
        except OSError:  # ENODEV: the cgroup is gone
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith(self._counter + b" ")), 0)

    @property
    def told(self) -> bool:
        """Whether somebody has heard of all of them."""
        return self.kills <= self._told

    def _announced(self, _events: int) -> None:
        os.eventfd_read(self._opened[1])
        for seconds in _LOOKS:
            self._loop.later(seconds, self._look)

    def _changed(self, _events: int) -> None:
        self._look()

    def _look(self) -> None:
        kills = self.kills
        if kills > self._told and self._tell():
            self._told = kills

    def close(self) -> None:
        for fd in self._opened:
            self._loop.forget(fd)
            os.close(fd)
        self._opened = []
