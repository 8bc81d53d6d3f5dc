"""How much an archive may cost before it is refused as a bomb."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NamedTuple

from engine.errors import InvalidArgument, SystemFailure

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

# Go's archive/tar, and so Docker, also refuses a longer extended header.
MAX_HEADER = MIB


class Limits(NamedTuple):
    """Caps of one archive; ``reserve`` bytes of the file system stay free, so that a bomb cannot fill the host."""

    entries: int = 4_000_000
    size: int = 512 * GIB
    reserve: int = 256 * MIB


DEFAULT = Limits()


class Budget:
    """Counts what an archive has written on the file system of ``directory`` and stops it at the limits."""

    _STEP = 32 * MIB

    def __init__(self, directory: int | Path, limits: Limits = DEFAULT) -> None:
        self._directory, self._limits = directory, limits
        self._written = self._entries = 0
        self._next_look = 0

    def spend(self, size: int) -> None:
        """Called before ``size`` bytes are written. InvalidArgument past the cap, SystemFailure when the disk fills."""
        self._written += size
        if self._written > self._limits.size:
            raise InvalidArgument(f"archive unpacks to more than {self._limits.size} bytes")
        if self._written >= self._next_look:
            self._next_look = self._written + self._STEP
            room = os.statvfs(self._directory)
            if room.f_bavail * room.f_frsize < self._limits.reserve + self._STEP:
                raise SystemFailure(os.strerror(errno.ENOSPC).lower())

    def count(self) -> None:
        """Called for each entry: millions of empty files are a bomb too."""
        self._entries += 1
        if self._entries > self._limits.entries:
            raise InvalidArgument(f"archive has more than {self._limits.entries} entries")
