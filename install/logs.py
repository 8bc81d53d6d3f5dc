"""Following the services' logs in a terminal until somebody stops it."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAUSE = 0.2


class _Tail:
    """New lines of one file, also after it was rotated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._partial = b""
        self._open(at_end=True)

    def lines(self) -> list[str]:
        found = self._read()
        if self._rotated():
            self._open(at_end=False)
            found += self._read()
        return found

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _open(self, *, at_end: bool) -> None:
        self.close()
        self._file = self._path.open("rb") if self._path.exists() else None
        if self._file and at_end:
            self._file.seek(0, 2)

    def _read(self) -> list[str]:
        data = self._partial + (self._file.read() if self._file else b"")
        *complete, self._partial = data.split(b"\n")
        return [line.decode(errors="replace") for line in complete]

    def _rotated(self) -> bool:
        try:
            present = self._path.stat()
        except FileNotFoundError:
            return False
        if self._file is None:
            return True
        return present.st_ino != _inode(self._file)


def _inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino


def follow(directory: Path, names: list[str], stopped: Callable[[], bool]) -> None:
    """Print each new line of the named services' logs behind the service's name."""
    width = max(map(len, names), default=0)
    with contextlib.ExitStack() as stack:
        tails = {name: stack.enter_context(contextlib.closing(_Tail(directory / f"{name}.log"))) for name in names}
        while not stopped():
            for name, tail in tails.items():
                for line in tail.lines():
                    print(f"{name:{width}} │ {line}", flush=True)
            time.sleep(PAUSE)
