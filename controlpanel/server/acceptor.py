"""Accepts connections on a socket that is bound and listening already.

Twisted's own port for UNIX sockets makes the socket's file writable to the world and, at the end, removes it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

logger = logging.getLogger(__name__)

BATCH = 64
# Without free descriptors accept(2) fails and the socket stays readable: pause instead of spinning.
PAUSE_SECONDS = 0.1


class Acceptor:
    """Calls ``take`` with each new connection, which then belongs to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, listener: socket.socket, take: Callable[[socket.socket], None]):
        self._loop, self._listener, self._take = loop, listener, take
        listener.setblocking(False)

    def start(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(BATCH):
            try:
                connection, _address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                logger.error("cannot accept connections: %s", error)
                self._loop.remove_reader(self._listener)
                self._loop.call_later(PAUSE_SECONDS, self.start)
                return
            connection.setblocking(False)
            self._take(connection)
