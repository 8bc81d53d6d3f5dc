"""What travels on an attached connection: Docker's multiplexed frames and the detach keys.

A frame is ``[stream, 0, 0, 0, size as big-endian uint32]`` and then the payload; stream is 0 for stdin, 1 for stdout
and 2 for stderr (Engine API, "Attach to a container", stream format).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import chain

_HEADER = struct.Struct(">B3xI")
STDIN, STDOUT, STDERR = 0, 1, 2
DEFAULT_DETACH_KEYS = b"\x10\x11"  # ctrl-p, ctrl-q


def header(stream: int, size: int) -> bytes:
    return _HEADER.pack(stream, size)


def multiplex(streams: Iterable[int], payloads: list[bytes]) -> bytes:
    """A frame for each payload, on the stream at the same place. There may be millions, so no Python runs for each."""
    headers = map(_HEADER.pack, streams, map(len, payloads))
    return b"".join(chain.from_iterable(zip(headers, payloads, strict=True)))


class DetachKeys:
    """Finds the detach sequence in what a user types. Keys of an unfinished sequence are held back, as Docker does."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._matched = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Return the bytes for the terminal, and whether the sequence is complete (what follows it is dropped)."""
        if not self._keys or (not self._matched and self._keys[0] not in data):
            return data, False
        passed = bytearray()
        for key in data:
            passed += self._step(key)
            if self._matched == len(self._keys):
                self._matched = 0
                return bytes(passed), True
        return bytes(passed), False

    def _step(self, key: int) -> bytes:
        if key == self._keys[self._matched]:
            self._matched += 1
            return b""
        held = self._keys[: self._matched]
        self._matched = 1 if key == self._keys[0] else 0
        return held if self._matched else held + bytes((key,))
