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
    """Caps of one archive; ``reserve`` bytes of the file system stay free, so that a bomb cannot fill the host.

    ``size``: bytes that are written. ``names``: characters of names that have to be remembered until the end.
    """

    entries: int = 4_000_000
    size: int = 512 * GIB
    reserve: int = 256 * MIB
    names: int = 256 * MIB


DEFAULT = Limits()


class Budget:
    """Counts what an archive has written on the file system of ``directory`` and stops it at the limits."""

    _STEP = 32 * MIB
    _STEP_ENTRIES = 1024
    _INODES = 4 * _STEP_ENTRIES

    def __init__(self, directory: int | Path, limits: Limits = DEFAULT) -> None:
        self._directory, self._limits = directory, limits
        self._written = self._entries = self._names = 0
        self._next_look = 0

    def spend(self, size: int) -> None:
        """Called before ``size`` bytes are written. InvalidArgument past the cap, SystemFailure when the disk fills."""
        self._written += size
        if self._written > self._limits.size:
            raise InvalidArgument(f"archive unpacks to more than {self._limits.size} bytes")
        if self._written >= self._next_look:
            self._next_look = self._written + self._STEP
            self._look()

    def count(self) -> None:
        """Called for each entry: millions of empty files are a bomb too, and fill the disk with what they are."""
        self._entries += 1
        if self._entries > self._limits.entries:
            raise InvalidArgument(f"archive has more than {self._limits.entries} entries")
        if self._entries % self._STEP_ENTRIES == 1:
            self._look()

    def remember(self, name: str) -> None:
        """Called for each name that stays in memory."""
        self._names += len(name)
        if self._names > self._limits.names:
            raise InvalidArgument(f"archive has more than {self._limits.names} characters in names of directories")

    def _look(self) -> None:
        if not self._limits.reserve:
            return
        room = os.statvfs(self._directory)
        full = room.f_bavail * room.f_frsize < self._limits.reserve + self._STEP
        # A file system that makes inodes as it goes says that it has none at all.
        if full or (room.f_files and room.f_favail < self._INODES):
            raise SystemFailure(os.strerror(errno.ENOSPC).lower())
