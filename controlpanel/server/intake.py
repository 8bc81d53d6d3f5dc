"""What a client has sent and nobody has used yet: the beginning of a head, or requests ahead of an answer."""

from __future__ import annotations

from collections.abc import Callable

from controlpanel.server.bodies import END
from controlpanel.server.heads import BadRequest

EMPTY_LINE = b"\r\n"


class TooLong(BadRequest):
    """A head above the limit."""

    status = 431


class Intake:
    """Bytes of one connection, which count among those of all."""

    __slots__ = ("_data", "_held", "_hold", "_limit", "_searched")

    def __init__(self, limit: int, hold: Callable[[int], bool]) -> None:
        """``limit`` is a head's in bytes; ``hold`` notes a change of size and says whether there is room for it."""
        self._limit, self._hold = limit, hold
        self._data = bytearray()
        self._searched = self._held = 0

    def __len__(self) -> int:
        return len(self._data)

    @property
    def has_begun(self) -> bool:
        """Whether a head has been looked for, and only its beginning was there."""
        return self._searched > 0

    def put(self, data: bytes) -> None:
        self._data += data

    def take_head(self) -> bytes | None:
        """The next head with the empty line at its end, None while it is not all there. Raises BadRequest."""
        data = self._data
        while data.startswith(EMPTY_LINE):
            del data[: len(EMPTY_LINE)]
        end = data.find(END, self._searched)
        if (end if end >= 0 else len(data)) > self._limit:
            raise TooLong("the head of the request is too long")
        if end >= 0:
            return self._take(end + len(END))
        if data and not (chr(data[0]).isupper() or EMPTY_LINE.startswith(data)):
            # TLS, for instance, which will never send an empty line.
            raise BadRequest("this is no HTTP request")
        self._searched = max(1, len(data) - len(END) + 1) if data else 0
        return None

    def take_all(self) -> bytes:
        return self._take(len(self._data))

    def drop(self) -> None:
        self.take_all()

    def settle(self) -> bool:
        """Account for the present size; False when all connections together hold too much."""
        change = len(self._data) - self._held
        self._held += change
        return self._hold(change)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._data[:size])
        del self._data[:size]
        self._searched = 0
        return taken
