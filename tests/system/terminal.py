"""A program on a pseudo-terminal, as a person uses it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tests.support.docker import Docker

PATIENCE = 15.0


class Terminal:
    """``with Terminal(docker, "run", "-it", …) as screen``: type, and await what appears."""

    def __init__(self, docker: Docker, *words: str, size: tuple[int, int] = (24, 80)) -> None:
        self._descriptor, inside = pty.openpty()
        self.resize(*size)
        self.seen = ""
        self._process = subprocess.Popen(
            ["docker", *words],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env=docker.environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that a resize is signalled
        )
        os.close(inside)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._descriptor)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def expect(self, *texts: str) -> None:
        """Read until all texts have appeared since the last call, in this order."""
        for text in texts:
            while text not in self.seen:
                assert self._read(), f"{text!r} did not appear in {self.seen!r}"
            self.seen = self.seen.partition(text)[2]

    def wait(self) -> int:
        """Read to the end and return the program's exit status."""
        while self._read():
            pass
        return self._process.wait(timeout=PATIENCE)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], PATIENCE)
        if not ready:
            return False
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # EIO: the other end is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)
