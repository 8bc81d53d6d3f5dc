"""Hijack: an answer after which the connection belongs to somebody else (Engine API, "attach" and "exec start").

A view checks everything first and then returns a HijackResponse. The server takes the connection out of its reactor,
writes the head, and awaits ``take`` with the client's socket and the bytes that it had read past the request.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
import time
from collections.abc import Awaitable, Callable

from django.http import HttpRequest, HttpResponse

from controlpanel.streams.connection import CONNECTION, Connection
from engine.errors import Unsupported

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
MULTIPLEXED_SINCE = (1, 42)

# How long the stream waits for its head to be read: the first tries without a pause, since most clients are reading.
HEAD_SECONDS = 0.25
HEAD_TRIES = 20
HEAD_PAUSE = 0.001

Take = Callable[[socket.socket, bytes], Awaitable[None]]


def wants_upgrade(request: HttpRequest) -> bool:
    return "HTTP_UPGRADE" in request.META


def stream_type(request: HttpRequest, tty: bool) -> str:
    """Content type of a stream of frames, or of raw bytes for a TTY and for clients that know no other."""
    version: tuple[int, int] = getattr(request, "api_version", MULTIPLEXED_SINCE)
    return RAW if tty or version < MULTIPLEXED_SINCE else MULTIPLEXED


class HijackResponse(HttpResponse):
    """101 when the client asked for an upgrade, else 200 and raw bytes until the connection is closed."""

    def __init__(self, request: HttpRequest, tty: bool, take: Take) -> None:
        self.upgrade = wants_upgrade(request)
        super().__init__(
            status=101 if self.upgrade else 200, content_type=stream_type(request, tty) if self.upgrade else RAW
        )
        connection: Connection | None = getattr(request, "scope", {}).get(CONNECTION)
        if connection is None:
            raise Unsupported("this connection cannot be hijacked")
        self._connection = connection
        self._take = take

    def head(self) -> bytes:
        status = "101 UPGRADED" if self.upgrade else "200 OK"
        upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if self.upgrade else ""
        return f"HTTP/1.1 {status}\r\nContent-Type: {self.headers['Content-Type']}\r\n{upgrade}\r\n".encode()

    async def take_over(self) -> None:
        """Called by the server instead of sending this response. A client that has left is no error."""
        with contextlib.suppress(ConnectionError):
            detached = await self._connection.detach()
            with socket.socket(fileno=detached.fd) as client:
                client.sendall(self.head())
                await self._take(client, detached.surplus)


async def head_is_read(client: socket.socket) -> None:
    """Wait until a client on the UNIX socket has read what was sent, but not for one that does not read.

    docker-py reads the head through a buffer that it then throws away, with whatever else had arrived by then. Not for
    an attach: that has to be on its way before a client who has read the head sends the start.
    """
    deadline = time.monotonic() + HEAD_SECONDS
    tries = 0
    while client.family == socket.AF_UNIX and _unread(client) and time.monotonic() < deadline:
        tries += 1
        await asyncio.sleep(HEAD_PAUSE if tries > HEAD_TRIES else 0)


def _unread(client: socket.socket) -> int:
    """SIOCOUTQ in unix(7): how much the peer has not received yet."""
    (count,) = struct.unpack("i", fcntl.ioctl(client, termios.TIOCOUTQ, bytes(4)))
    return int(count)
