"""Docker's JSON stream objects for the progress of load and import."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from engine.archives.reader import Readable

Progress = Callable[[dict[str, Any]], None]
_INTERVAL = 0.1  # seconds between two messages about one layer


class Meter:
    """A stream that reports how much of a layer was read, at most ten times a second and once at the end."""

    def __init__(self, stream: Readable, progress: Progress, short_id: str, total: int) -> None:
        self._stream, self._progress = stream, progress
        self._id, self._total = short_id, total
        self._current = 0
        self._next = 0.0

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._current += len(data)
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _INTERVAL
            self.report()
        return data

    def report(self) -> None:
        detail = {"current": self._current, "total": self._total}
        self._progress({"status": "Loading layer", "progressDetail": detail, "id": self._id})

    def finish(self) -> None:
        self._current = self._total
        self.report()
