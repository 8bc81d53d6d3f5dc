"""Pseudoterminals of a container, from the devpts that is mounted inside it; pty(7), ioctl_tty(2)."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from collections.abc import Sequence

from engine.kernel import libc

_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441


def open_in_container(size: Sequence[int]) -> tuple[int, int]:
    """Open a master and its slave; ``size`` is (height, width), (0, 0) leaves it unset.

    TIOCGPTPEER opens the slave without a path, so nothing that lies at /dev/pts/N can be taken for it.
    """
    master = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    slave = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    if any(size):
        resize(master, *size)
    return master, slave


def become_console(slave: int) -> None:
    """Make the slave /dev/console of the container and the controlling terminal of this session leader."""
    os.close(os.open("/dev/console", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY, 0o600))
    fd = libc.open_tree(slave, "", libc.OPEN_TREE_CLONE | libc.OPEN_TREE_CLOEXEC | libc.AT_EMPTY_PATH)
    libc.move_mount(fd, libc.AT_FDCWD, "/dev/console")
    os.close(fd)
    take(slave)


def take(slave: int) -> None:
    """Make the slave the controlling terminal."""
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


def resize(fd: int, height: int, width: int) -> None:
    """Set the window size in characters; the foreground process group gets SIGWINCH."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
