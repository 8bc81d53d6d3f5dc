"""Descriptors as byte streams. They may be sockets or pipes that their other owner made non-blocking."""

from __future__ import annotations

import errno
import io
import os
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER = 1 << 20
_SMALL = 64 << 10


class _Input(io.RawIOBase):
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        while True:
            try:
                return os.readv(self._fd, [buffer])
            except BlockingIOError:
                _wait(self._fd, select.POLLIN)


def source(fd: int) -> io.BufferedReader:
    """Read from ``fd``, which stays the caller's."""
    return io.BufferedReader(_Input(fd), _BUFFER)


class Sink:
    """Writes to ``fd``, which stays the caller's. Small pieces are gathered; a file's content stays in the kernel."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._gathered = bytearray()

    def write(self, data: bytes) -> int:
        self._gathered += data
        if len(self._gathered) >= _SMALL:
            self.flush()
        return len(data)

    def flush(self) -> None:
        rest = memoryview(bytes(self._gathered))
        self._gathered.clear()
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                _wait(self._fd, select.POLLOUT)

    def copy(self, file: int, size: int) -> None:
        """Send exactly ``size`` bytes of ``file``; zeros take the place of what it lost meanwhile."""
        if size <= _SMALL:
            data = os.read(file, size)
            self.write(data + bytes(size - len(data)))
            return
        self.flush()
        while size > 0:
            sent = self._send(file, size)
            if not sent:
                break
            size -= sent
        while size > 0:
            size -= self.write(bytes(min(size, _BUFFER)))

    def _send(self, file: int, size: int) -> int:
        """Some bytes of ``file``, and 0 at its end."""
        while True:
            try:
                return os.sendfile(self._fd, file, None, size)
            except BlockingIOError:
                _wait(self._fd, select.POLLOUT)
            except OSError as failure:
                if failure.errno != errno.EINVAL:
                    raise
                # The two descriptors cannot be joined in the kernel, as with O_APPEND.
                return self.write(os.read(file, min(size, _BUFFER)))


def _wait(fd: int, event: int) -> None:
    poll = select.poll()
    poll.register(fd, event)
    poll.poll()
