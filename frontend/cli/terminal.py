"""The user's terminal: raw mode, its size, and the keys that detach."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import sys
import termios
import tty
from collections.abc import Iterator

from .errors import CliError

DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q"


def size(fd: int = 1) -> tuple[int, int]:
    """Rows and columns; zeros when ``fd`` is no terminal. TIOCGWINSZ, ioctl_tty(2)."""
    try:
        rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    except OSError:
        return 0, 0
    return rows, columns


@contextlib.contextmanager
def raw(fd: int) -> Iterator[None]:
    """Every key goes to the container, none to this terminal's line discipline. Undone at the end in any case."""
    if not os.isatty(fd):
        yield
        return
    before = termios.tcgetattr(fd)
    tty.setraw(fd, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def require_terminal(attach_stdin: bool, wants_tty: bool) -> None:
    """Raises CliError as docker does when a TTY is asked for and the input is none."""
    if attach_stdin and wants_tty and not sys.stdin.isatty():
        raise CliError("the input device is not a TTY")


def parse_detach_keys(text: str | None) -> bytes:
    """``ctrl-p,ctrl-q`` → the bytes that a terminal sends. Raises CliError."""
    keys = bytearray()
    for key in (text or DEFAULT_DETACH_KEYS).split(","):
        if re.fullmatch(r"ctrl-[a-z@[\\\]^_]", key):
            keys.append(ord(key[-1].upper()) & 0x1F)
        elif len(key) == 1 and key.isascii():
            keys.append(ord(key))
        else:
            raise CliError(f"invalid detach keys ({text}) provided", 125)
    return bytes(keys)


class DetachScanner:
    """Finds the detach keys in what is typed. Keys of an unfinished sequence are held back until it is decided."""

    def __init__(self, keys: bytes) -> None:
        self._keys, self._held = keys, b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Return what to send on, and whether the sequence is complete."""
        passed = bytearray()
        for index in range(len(data)):
            key = data[index : index + 1]
            if self._keys.startswith(self._held + key):
                self._held += key
                if self._held == self._keys:
                    return bytes(passed), True
                continue
            passed += self._held
            self._held = key if self._keys.startswith(key) else b""
            if not self._held:
                passed += key
        return bytes(passed), False
