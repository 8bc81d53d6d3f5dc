"""Attach with ``logs=1``: what was written before, then what follows, without gap or repetition.

For a running container without a terminal the output of both parts is read from its log, one after the other, and only
the input goes to the shim; so there is no moment at which one source has to be exchanged for another. A terminal's log
lags behind its screen by the unfinished line, so there, as in Docker, the log is replayed and then the shim takes over.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from contextlib import aclosing
from typing import TYPE_CHECKING

from controlpanel.server.departures import has_left
from controlpanel.streams import logs
from engine.containers.logs import Selection

if TYPE_CHECKING:
    from controlpanel.objects.models import Container

BLOCK = 64 * 1024
# A client that has only finished sending is asked in this rhythm whether it still reads.
LOOK_SECONDS = 1.0


async def send_log(
    container: Container, client: socket.socket, selection: Selection, *, framed: bool, live: bool
) -> None:
    """Write the log to the client in the form of an attached stream; with ``live`` until the container has ended.

    Returns early when the client has left.
    """
    form = logs.Form(framed=framed, timestamps=False, details=False)
    loop = asyncio.get_running_loop()
    client.setblocking(False)
    with contextlib.suppress(ConnectionError):
        async with aclosing(logs.follow(container, selection, live=live)) as batches:
            async for batch in batches:
                await loop.sock_sendall(client, form.render(batch))


async def send_log_and_input(
    container: Container, client: socket.socket, selection: Selection, stdin: socket.socket | None, *, framed: bool
) -> None:
    """The live form, with what the client types going to ``stdin``, which is owned and closed here."""
    output = asyncio.create_task(send_log(container, client, selection, framed=framed, live=True))
    typed = asyncio.create_task(_forward(client, stdin))
    try:
        await asyncio.wait({output, typed}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (output, typed):
            task.cancel()
        await asyncio.gather(output, typed, return_exceptions=True)
        if stdin is not None:
            stdin.close()


async def _forward(client: socket.socket, stdin: socket.socket | None) -> None:
    """Move input until the client has left. Its end of file is passed on and is no departure."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        while data := await loop.sock_recv(client, BLOCK):
            if stdin is not None:
                await loop.sock_sendall(stdin, data)
    if stdin is not None:
        with contextlib.suppress(OSError):
            stdin.shutdown(socket.SHUT_WR)
    while not has_left(client.fileno()):
        await asyncio.sleep(LOOK_SECONDS)
