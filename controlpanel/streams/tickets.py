"""Bulk streams: a worker fetches the descriptors of a body and an answer by a ticket, so bytes never pass the broker.

The worker connects to ``layout.stream_socket``, sends ``{"ticket": id}`` and receives ``{"body": bool, "reply": bool}``
with those descriptors in that order, or ``{"error": …}``. A ticket serves once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket

from controlpanel.server.scope import Peer
from controlpanel.streams import shims
from engine.containers import wire
from engine.errors import Forbidden, MuelleError, NotFound

logger = logging.getLogger(__name__)

# A worker that has connected sends its ticket at once.
REQUEST_SECONDS = 10.0


class Ticket:
    """Descriptors, owned here until a worker has them. ``taken`` is done once one does.

    From then on only the worker holds them, so its end of a pipe closes when it is done or dies.
    """

    def __init__(self, body_fd: int | None = None, reply_fd: int | None = None) -> None:
        self.id = secrets.token_hex(16)
        self.body_fd, self.reply_fd = body_fd, reply_fd
        self.taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        _open[self.id] = self

    def hand_over(self, sock: socket.socket) -> None:
        """Send the descriptors to the worker at the other end. Serves once."""
        try:
            wire.send(sock, {"body": self.body_fd is not None, "reply": self.reply_fd is not None}, self._fds())
        finally:
            self.close()
        if not self.taken.done():
            self.taken.set_result(None)

    def close(self) -> None:
        """Withdraw the offer, if nobody has taken it."""
        if _open.pop(self.id, None) is not None:
            wire.close_all(self._fds())

    def _fds(self) -> list[int]:
        return [fd for fd in (self.body_fd, self.reply_fd) if fd is not None]


_open: dict[str, Ticket] = {}
_answers: set[asyncio.Task[None]] = set()


def listen(listener: socket.socket) -> None:
    """Serve tickets on the running loop from now on."""
    asyncio.get_event_loop().add_reader(listener, _accept, listener)


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
                await shims.readable(sock)
            _hand_over(sock)
        except MuelleError as error:
            with contextlib.suppress(OSError):
                wire.send(sock, {"error": error.to_json()})
        except (OSError, EOFError, ValueError) as error:
            logger.warning("bulk stream refused: %s", error)


def _hand_over(sock: socket.socket) -> None:
    message, fds = wire.receive(sock)
    wire.close_all(fds)
    peer = Peer.of(sock)
    if peer is None or peer.uid != 0:
        raise Forbidden("bulk streams are for workers")
    ticket = _open.get(str(message.get("ticket")))
    if ticket is None:
        raise NotFound("no such stream")
    ticket.hand_over(sock)
