"""Flags of inodes; ioctl_iflags(2)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from pathlib import Path

# <linux/fs.h>. Their type is long; what the kernel reads and writes is an int.
_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602
_TOP_OF_HIERARCHIES = 0x00020000
_FLAGS = struct.Struct("=Ixxxx")


def spread(directory: Path) -> None:
    """Have ext4 put new directories in ``directory`` far from each other, as with chattr +T; others are left alone.

    Files lie near their directory, and ext4 looks at each inode there that was freed in the last minutes before it
    takes another. Where trees of thousands of files come and go in one place that takes most of the time.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            flags = _flags(fd)
            if not flags & _TOP_OF_HIERARCHIES:
                fcntl.ioctl(fd, _SET_FLAGS, _FLAGS.pack(flags | _TOP_OF_HIERARCHIES))
    finally:
        os.close(fd)


def is_spread(directory: Path) -> bool:
    """Whether `spread` is in effect. Raises OSError where there are no such flags."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return bool(_flags(fd) & _TOP_OF_HIERARCHIES)
    finally:
        os.close(fd)


def _flags(fd: int) -> int:
    flags: int = _FLAGS.unpack(fcntl.ioctl(fd, _GET_FLAGS, bytes(_FLAGS.size)))[0]
    return flags
