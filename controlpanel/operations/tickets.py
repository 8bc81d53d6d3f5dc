"""The worker's end of a bulk stream: fetch the descriptors that the web process keeps under a ticket.

On ``layout.stream_socket`` (see ``engine.containers.wire``) the request is ``{"ticket": text}``; the reply is
``{"body": bool, "reply": bool}`` with the named descriptors beside it in this order, or an error.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson
from django.conf import settings

from engine.containers import wire
from engine.errors import InvalidArgument, Unavailable


class Streams(NamedTuple):
    """The two descriptors of a ticket: what the client sends, and where its answer goes. Either may be None."""

    body: int | None
    reply: int | None

    def tell(self, message: dict[str, Any]) -> None:
        """Send one progress message; a client that has gone is no reason to stop the work."""
        if self.reply is not None:
            _write(self.reply, orjson.dumps(message) + b"\r\n")


def needed(descriptor: int | None) -> int:
    """One of the two that an operation cannot do without."""
    if descriptor is None:
        raise InvalidArgument("the ticket has no descriptor for this direction")
    return descriptor


@contextmanager
def fetch(ticket: str) -> Iterator[Streams]:
    """Receive a ticket's descriptors and close them at the end. A ticket serves once.

    Raises NotFound for a ticket that is unknown or used up, Unavailable when the web process is away.
    """
    with wire.connect(settings.MUELLE_LAYOUT.stream_socket) as sock:
        try:
            wire.send(sock, {"ticket": ticket})
            message, fds = wire.receive(sock)
        except (OSError, EOFError) as error:
            raise Unavailable(f"the web process went away: {error}") from error
    try:
        yield _assign(wire.result(message), fds)
    finally:
        wire.close_all(fds)


def _assign(message: dict[str, Any], fds: list[int]) -> Streams:
    """Match descriptors with the names in the reply."""
    queue = iter(fds)
    body = next(queue, None) if message.get("body") else None
    reply = next(queue, None) if message.get("reply") else None
    return Streams(body, reply)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while view:
            view = view[os.write(descriptor, view) :]
