"""Bulk streams: a worker fetches the descriptors of a body and an answer by a ticket, so bytes never pass the broker.

The worker connects to ``layout.stream_socket``, sends ``{"ticket": id}`` and receives ``{"body": bool, "reply": bool}``
with those descriptors in that order, or ``{"error": …}``. A ticket serves once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from engine.containers import wire
from engine.errors import Forbidden, MuelleError, NotFound

logger = logging.getLogger(__name__)

UCRED = struct.Struct("3i")
# A worker that has connected sends its ticket at once.
REQUEST_SECONDS = 10.0


class Offer(NamedTuple):
    body: int | None
    reply: int | None

    def fds(self) -> list[int]:
        return [fd for fd in self if fd is not None]


_offers: dict[str, Offer] = {}


@contextlib.contextmanager
def open_ticket(body_fd: int | None = None, reply_fd: int | None = None) -> Iterator[str]:
    """Offer descriptors, which are owned and closed here, to the worker that names the ticket.

    Once fetched only the worker holds them, so its end of a pipe closes when the worker is done or dies.
    """
    ticket = secrets.token_hex(16)
    _offers[ticket] = Offer(body_fd, reply_fd)
    try:
        yield ticket
    finally:
        offer = _offers.pop(ticket, None)
        if offer is not None:
            wire.close_all(offer.fds())


def listen(listener: socket.socket) -> None:
    """Serve tickets on the running loop from now on."""
    asyncio.get_event_loop().add_reader(listener, _accept, listener)


_answers: set[asyncio.Task[None]] = set()


def _accept(listener: socket.socket) -> None:
    try:
        sock, _ = listener.accept()
    except OSError as error:
        logger.warning("bulk stream not accepted: %s", error)
        return
    sock.setblocking(False)
    task = asyncio.get_event_loop().create_task(_answer(sock))
    _answers.add(task)
    task.add_done_callback(_answers.discard)


async def _answer(sock: socket.socket) -> None:
    with sock:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                await _readable(sock)
            _hand_over(sock)
        except MuelleError as error:
            with contextlib.suppress(OSError):
                wire.send(sock, {"error": error.to_json()})
        except (OSError, EOFError, ValueError) as error:
            logger.warning("bulk stream refused: %s", error)


def _hand_over(sock: socket.socket) -> None:
    message, fds = wire.receive(sock)
    wire.close_all(fds)
    _, uid, _ = UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size))
    if uid not in (0, os.geteuid()):
        raise Forbidden("bulk streams are for workers")
    offer = _offers.pop(str(message.get("ticket")), None)
    if offer is None:
        raise NotFound("no such stream")
    try:
        wire.send(sock, {"body": offer.body is not None, "reply": offer.reply is not None}, offer.fds())
    finally:
        wire.close_all(offer.fds())


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(sock, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(sock)
