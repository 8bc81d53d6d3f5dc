"""The engine's API over its UNIX socket, for set-up: before the virtual environment's clients can be relied on."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT = 60.0
FRAME_HEADER = 8  # stream, three zero bytes, length as four bytes big-endian


class ApiError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket; ``timeout`` in seconds, of each step."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Api(UnixConnection):
    """One connection per request, because a service may be restarted between two."""

    def __init__(self, path: Path, timeout: float = TIMEOUT) -> None:
        super().__init__(path, timeout)

    def call(self, method: str, url: str, body: bytes | dict[str, Any] | None = None) -> bytes:
        """The reply's body; raises ApiError with the engine's message, OSError when nobody listens."""
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        kind = "application/json" if isinstance(body, dict) else "application/x-tar"
        headers = {"Content-Type": kind, "Content-Length": str(len(content or b"")), "Connection": "close"}
        try:
            self.request(method, url, content, headers)
            response = self.getresponse()
            data = response.read()
        finally:
            self.close()
        if response.status >= 400:
            raise ApiError(response.status, _message(data))
        return data

    def json(self, method: str, url: str, body: bytes | dict[str, Any] | None = None) -> Any:
        return json.loads(self.call(method, url, body))


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace").strip()


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Stream number and payload of each frame of Docker's multiplexed log form."""
    while len(data) >= FRAME_HEADER:
        end = FRAME_HEADER + int.from_bytes(data[4:FRAME_HEADER], "big")
        yield data[0], data[FRAME_HEADER:end]
        data = data[end:]
