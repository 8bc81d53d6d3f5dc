"""One client connection: heads and bodies in, answers out, with Docker's manners at its edges."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from controlpanel.server import answers, bodies, heads
from controlpanel.server.departures import has_left
from controlpanel.server.discard import Discard
from controlpanel.server.exchange import Exchange
from controlpanel.server.intake import Intake
from controlpanel.server.limits import Place, client_of
from controlpanel.server.scope import Detached, Peer

if TYPE_CHECKING:
    from controlpanel.server.service import Server

# How much of later requests is read while one is answered: reading on is how a client that leaves is noticed.
EAGER = 16 * 1024
KEEPALIVE_SECONDS = 30


class HttpConnection(asyncio.Protocol):
    """Requests are answered one after the other; what a client sends ahead waits in ``_intake``."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._intake = Intake(server.limits.head, server.census.hold)
        self._exchange: Exchange | None = None
        self._body: bodies.Body | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._lingering: Discard | None = None
        self._is_blocked = self._is_closing = self._is_lost = self._has_ended = False
        self._place: Place | None = None

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        sock: socket.socket = transport.get_extra_info("socket")
        self.family, self.peer = sock.family, Peer.of(sock)
        self.client = self.server_address = None
        if self.peer is None:
            self.client = list(sock.getpeername()[:2])
            self.server_address = list(sock.getsockname()[:2])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS)
        self._server.connections.add(self)
        self._place = self._server.census.admit(client_of(self.peer, self.client[0] if self.client else ""))
        if self._place is None:
            self.cut()
        elif self._place.is_refusal:
            self._expect(self._server.limits.refusal_seconds)
        elif self.peer is None:
            self._expect(self._server.limits.head_seconds)

    def data_received(self, data: bytes) -> None:
        if self._lingering is not None:
            self._lingering.feed(len(data))
        elif self._body is not None:
            self._feed(data)
        else:
            self._intake.put(data)
            if self._exchange is None:
                self._advance()
            elif len(self._intake) > EAGER:
                self.transport.pause_reading()
                self._server.unread.add(self, self._look)
            self._hold()

    def eof_received(self) -> bool:
        """The client sends nothing more. It may still read: ``printf … | nc``, and every non-interactive docker run."""
        self._has_ended = True
        if self._exchange is None or self._exchange.answered:
            self.close()
        elif self._body is not None or self._is_over():
            self.cut()
        else:
            self._server.unread.add(self, self._look)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._is_lost = True
        self._forget()
        if self._exchange is not None:
            self._exchange.leave()
        self._wake()

    def pause_writing(self) -> None:
        self._is_blocked = True

    def resume_writing(self) -> None:
        self._is_blocked = False
        self._wake()
        if self._exchange is None and not self._is_closing:
            self._next()

    def expire(self) -> None:
        """The client takes too long; see ``Limits``."""
        if self._lingering is not None or self._exchange is not None or self._is_closing:
            self.cut()
        elif self._intake:
            self.refuse(408, "the head of the request took too long")
        else:
            self.close()

    # Requests

    def _advance(self) -> None:
        """Take the next head out of what has arrived, if it is all there."""
        had_begun = self._intake.has_begun
        try:
            data = self._intake.take_head()
        except heads.BadRequest as error:
            self.refuse(error.status, str(error))
            return
        if data is not None:
            self._begin(data)
        elif self._intake.has_begun and not had_begun:
            limits = self._server.limits
            self._expect(limits.head_seconds_unix if self.peer else limits.head_seconds)

    def _begin(self, data: bytes) -> None:
        self._server.deadlines.clear(self)
        try:
            head = heads.parse(data)
        except heads.BadRequest as error:
            self._refuse_bad(error)
            return
        if self._place is None or self._place.is_refusal:
            self.refuse(503, "too many connections", [b"Retry-After: 1"])
        elif head.upgrade == b"websocket":
            self._server.websockets.adopt(self, head)
        else:
            self._start(head)

    def _start(self, head: heads.Head) -> None:
        is_upload = head.has_body and self._server.is_upload(head.method, head.path)
        try:
            body = bodies.of(head, None if is_upload else self._server.limits.body)
        except heads.BadRequest as error:
            self._refuse_bad(error)
            return
        self._exchange = Exchange(self, head, is_upload=is_upload)
        self._server.start(self._exchange)
        if head.has_body:
            self._body = body
            if head.expects_continue:
                self.write(answers.CONTINUE)
            self._feed(self._intake.take_all())

    def _feed(self, data: bytes) -> None:
        assert self._body is not None
        assert self._exchange is not None
        try:
            content, rest = self._body.feed(data)
        except heads.BadRequest as error:
            self._give_up(error)
            return
        if self._exchange.upload is None:
            # A body that nobody holds up is an idle connection; one that is held up, by this piece maybe, is none.
            self._limit_idling()
        self._exchange.feed(content)
        if rest is not None:
            self._complete(rest)

    def _give_up(self, error: heads.BadRequest) -> None:
        """The rest of the request makes no sense, and its answer may have begun."""
        assert self._exchange is not None
        has_begun = self._exchange.is_streaming or self._exchange.answered
        self._exchange.leave()
        if has_begun:
            self.cut()
        else:
            self._refuse_bad(error)

    def _refuse_bad(self, error: heads.BadRequest) -> None:
        self.refuse(error.status, f"bad request: {error}")

    def _complete(self, rest: bytes) -> None:
        assert self._exchange is not None
        self._body = None
        self._intake.put(rest)
        self.resume_body()
        self._server.deadlines.clear(self)
        self._exchange.finish()
        if self._exchange.answered:
            self._next()

    def _next(self) -> None:
        """The answer is written and the body read: on to the next request."""
        self._exchange = None
        if self._is_closing or self._server.is_stopping:
            self.close()
        elif self._is_blocked:
            # Who does not read answers gets no more of them.
            self.transport.pause_reading()
            self._limit_idling()
        else:
            self._go_on()

    def _go_on(self) -> None:
        if self._intake:
            self._advance()
            self._hold()
        if self._exchange is None and (self._has_ended or not self._intake):
            self._idle()
        if self._exchange is None or len(self._intake) <= EAGER:
            self.transport.resume_reading()
            if not self._has_ended:
                self._server.unread.remove(self)

    def _idle(self) -> None:
        if self._has_ended:
            self.close()
        else:
            self._limit_idling()

    def _limit_idling(self) -> None:
        if self.peer is None:
            self._expect(self._server.limits.idle_seconds)

    # What an exchange asks for

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def answered(self, closes: bool) -> None:
        self._is_closing = self._is_closing or closes
        if self._body is None:
            self._next()
        else:
            self._limit_idling()

    async def drained(self) -> None:
        """Wait until the client has taken most of what was written."""
        while self._is_blocked and not self._is_lost:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    async def flushed(self) -> None:
        """Wait until all has been written: answers to requests that the client pipelined ahead of this one."""
        self.transport.set_write_buffer_limits(high=0)
        await self.drained()
        if self._is_lost or self.transport.is_closing():
            raise ConnectionAbortedError("the client left")

    def release(self) -> Detached:
        """Give the connection away, without the shutdown(2) or the close(2) of its last descriptor."""
        sock: socket.socket = self.transport.get_extra_info("socket")
        detached = Detached(os.dup(sock.fileno()), self._intake.take_all())
        self._forget()
        self._exchange = None
        self.transport.abort()
        return detached

    def take_place(self) -> Place | None:
        """The connection's count, for who goes on with it."""
        place, self._place = self._place, None
        return place

    def pause_body(self) -> None:
        self._server.deadlines.clear(self)
        self.transport.pause_reading()
        self._server.unread.add(self, self._look)

    def resume_body(self) -> None:
        self._server.unread.remove(self)
        self.transport.resume_reading()

    # Ends

    def refuse(self, status: int, message: str, fields: Iterable[bytes] = ()) -> None:
        """Answer in the server's own name, and read on for a moment: closing at once may take the answer back."""
        self._exchange = self._body = None
        self._intake.drop()
        self._hold()
        self._lingering = Discard(self.cut)
        self._is_closing = True
        self.transport.resume_reading()
        self.write(answers.refusal(status, message, fields))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._expect(self._server.limits.refusal_seconds)

    def close(self) -> None:
        """Close once everything is written; a client that does not read is cut off after a while."""
        self._is_closing = True
        self._expect(self._server.limits.head_seconds)
        self.transport.close()

    def cut(self) -> None:
        self.transport.abort()

    def stop(self) -> None:
        """The server stops: what is not busy has nothing to wait for."""
        if self._exchange is None:
            self.close()

    @property
    def keeps_alive(self) -> bool:
        return not (self._is_closing or self._server.is_stopping)

    def _look(self) -> None:
        """Called now and then while nothing is read: the client sends no more, or sent too much ahead."""
        if self._is_over():
            self.cut()

    def _is_over(self) -> bool:
        """Whether the client has left. Over TCP one that has only finished sending counts for a stream, as in Go."""
        if self.peer is None and self._has_ended and self._exchange is not None and self._exchange.is_streaming:
            return True
        return has_left(self.transport.get_extra_info("socket").fileno())

    def _expect(self, seconds: float) -> None:
        self._server.deadlines.set(self, seconds)

    def _hold(self) -> None:
        if not self._intake.settle():
            self._drop()

    def _drop(self) -> None:
        if self._exchange is not None:
            self.cut()
        else:
            self.refuse(503, "too many requests at once", [b"Retry-After: 1"])

    def _forget(self) -> None:
        """The connection is no longer the server's."""
        server = self._server
        server.connections.discard(self)
        server.deadlines.clear(self)
        server.unread.remove(self)
        self._intake.drop()
        self._hold()
        if self._place is not None:
            self._place.give_back()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
