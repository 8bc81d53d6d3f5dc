"""Talking to shims and the launcher from the event loop (``engine.containers.wire``)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from pathlib import Path

from engine.containers import wire
from engine.errors import Unavailable

CONNECT_SECONDS = 5.0
REPLY_SECONDS = 30.0


async def connect(path: Path) -> socket.socket:
    """A connection that does not block. Raises Unavailable when nobody listens."""
    try:
        return wire.connect(path, timeout=0)
    except Unavailable as error:
        # A full backlog is the one case that needs patience; connect(2) on a UNIX socket is otherwise immediate.
        if not isinstance(error.__cause__, BlockingIOError):
            raise
    sock = await asyncio.to_thread(wire.connect, path, CONNECT_SECONDS)
    sock.setblocking(False)
    return sock


async def receive(sock: socket.socket) -> wire.Message:
    """The next message. Raises EOFError when the peer has closed, the MuelleError in an error reply."""
    await readable(sock)
    message, fds = wire.receive(sock)
    wire.close_all(fds)
    return wire.result(message)


async def exchange(sock: socket.socket, message: wire.Message, fds: Iterable[int] = ()) -> wire.Message:
    """Send before anything else gets to run, then await the reply. Closes the connection."""
    with sock:
        try:
            wire.send(sock, message, fds)
            async with asyncio.timeout(REPLY_SECONDS):
                return await receive(sock)
        except (OSError, EOFError) as error:
            raise Unavailable(f"the container's supervisor went away: {error or 'it closed the connection'}") from error


async def call(path: Path, message: wire.Message, fds: Iterable[int] = ()) -> wire.Message:
    """One request on a connection of its own."""
    return await exchange(await connect(path), message, fds)


async def readable(file: socket.socket | int) -> None:
    """Wait until a read would not block. Not for two waiters on one descriptor."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(file, _resolve, ready)
    try:
        await ready
    finally:
        loop.remove_reader(file)


def _resolve(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
