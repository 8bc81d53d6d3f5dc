"""What becomes of a body that nobody wants any more."""

from __future__ import annotations

from collections.abc import Callable

# How much more of a body is read and dropped once the answer is known; a client that sends more is cut off.
LIMIT = 16 * 1024 * 1024


class Discard:
    """Drops bytes, so that a client which sends first and reads later gets to read its answer."""

    def __init__(self, cut: Callable[[], None]) -> None:
        self._cut = cut
        self._size = 0

    def feed(self, size: int) -> None:
        self._size += size
        if self._size > LIMIT:
            self._cut()
