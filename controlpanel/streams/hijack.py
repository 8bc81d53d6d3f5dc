"""Hijack as Docker's clients know it (Engine API, "attach" and "exec start"): content types, when a head is read."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
import time
from typing import TYPE_CHECKING

from controlpanel.server.responses import HijackResponse, NotHijackable, OnLost, Take, wants_upgrade
from engine.errors import Unsupported

if TYPE_CHECKING:
    from django.http import HttpRequest

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
MULTIPLEXED_SINCE = (1, 42)

# How long the stream waits for its head to be read: the first tries without a pause, since most clients are reading.
HEAD_SECONDS = 0.25
HEAD_TRIES = 20
HEAD_PAUSE = 0.001


def stream_type(request: HttpRequest, tty: bool) -> str:
    """Content type of a stream of frames, or of raw bytes for a TTY and for clients that know no other."""
    version: tuple[int, int] = getattr(request, "api_version", MULTIPLEXED_SINCE)
    return RAW if tty or version < MULTIPLEXED_SINCE else MULTIPLEXED


def hijack(request: HttpRequest, tty: bool, take: Take, on_lost: OnLost | None = None) -> HijackResponse:
    """The answer that hands the connection to ``take``. Raises Unsupported."""
    try:
        kind = stream_type(request, tty) if wants_upgrade(request) else RAW
        return HijackResponse(request, kind, take, on_lost)
    except NotHijackable:
        raise Unsupported("this connection cannot be hijacked") from None


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
