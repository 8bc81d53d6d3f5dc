"""Pseudoterminals of a container, from the devpts that is mounted inside it; pty(7), ioctl_tty(2)."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from collections.abc import Sequence

from engine.errors import SystemFailure
from engine.kernel import libc

_PTMX = os.makedev(5, 2)
_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441


def open_in_container(size: Sequence[int]) -> tuple[int, int]:
    """Open a master and its slave; ``size`` is (height, width), (0, 0) leaves it unset.

    TIOCGPTPEER opens the slave without a path, so nothing that lies at /dev/pts/N can be taken for it. A container may
    have put anything at /dev/pts/ptmx, so that is looked at before it is used.
    """
    master = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if libc.file_system(master) != libc.DEVPTS_SUPER_MAGIC or os.fstat(master).st_rdev != _PTMX:
        raise SystemFailure("/dev/pts/ptmx of the container does not make terminals")
    os.set_blocking(master, True)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    slave = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    if any(size):
        resize(master, *size)
    return master, slave


def take(slave: int) -> None:
    """Make the slave the controlling terminal."""
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


def resize(fd: int, height: int, width: int) -> None:
    """Set the window size in characters; the foreground process group gets SIGWINCH."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
