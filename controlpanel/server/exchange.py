"""One request and its answer: what an ASGI application receives and sends."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from controlpanel.server import answers
from controlpanel.server.discard import Discard
from controlpanel.server.heads import Head
from controlpanel.server.scope import CONNECTION, PEER, UPLOAD, Detached, Message
from controlpanel.server.upload import Upload

if TYPE_CHECKING:
    from controlpanel.server.connection import HttpConnection

logger = logging.getLogger(__name__)

ASGI = {"version": "3.0", "spec_version": "2.4"}
# How much of a body waits for an application that does not take it, before the client is held up.
READ_AHEAD = 64 * 1024
# How much an application may write without giving others a turn. A client that reads fast never holds it up.
TURN = 256 * 1024
DISCONNECT: Message = {"type": "http.disconnect"}
NO_BODY: Message = {"type": "http.request", "body": b"", "more_body": False}


class Exchange:
    """``receive`` and ``send`` are the application's; the rest is the connection's.

    An application is cancelled when its client leaves before the answer is complete: a view that waits for something
    else need not watch the connection besides.
    """

    __slots__ = (
        "_body", "_connection", "_discard", "_framing", "_head", "_is_told", "_start", "_unyielded", "_waiter",
        "answered", "complete", "detached", "gone", "task", "upload",
    )  # fmt: skip

    def __init__(self, connection: HttpConnection, head: Head, *, is_upload: bool) -> None:
        self._connection, self._head = connection, head
        self._body: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._start: Message | None = None
        self._framing: answers.Framing | None = None
        self._discard: Discard | None = None
        self._unyielded = 0
        self._is_told = False
        self.complete = not head.has_body
        self.answered = self.detached = self.gone = False
        self.upload = Upload(connection.pause_body, connection.resume_body, connection.cut) if is_upload else None
        self.task: asyncio.Task[Any] | None = None

    def scope(self) -> dict[str, Any]:
        connection, head = self._connection, self._head
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": ASGI,
            "http_version": head.version,
            "method": head.method.decode("ascii"),
            "scheme": "http",
            "path": head.path,
            "raw_path": head.raw_path,
            "root_path": "",
            "query_string": head.query,
            "headers": head.fields,
            "client": connection.client,
            "server": connection.server_address,
            CONNECTION: self,
        }
        if connection.peer is not None:
            scope[PEER] = connection.peer
        if self.upload is not None:
            scope[UPLOAD] = self.upload
        return scope

    @property
    def is_streaming(self) -> bool:
        """Whether part of an answer of unknown length has been sent."""
        return self._framing is not None and not self.answered

    @property
    def is_endless(self) -> bool:
        """Whether it may go on for as long as the client likes."""
        return self.is_streaming or self.detached or self.upload is not None

    # The body, as it arrives

    def feed(self, content: bytes) -> None:
        if self.upload is not None:
            self.upload.feed(content)
        elif self._discard is not None:
            self._discard.feed(len(content))
        elif content:
            self._body.append(content)
            if sum(map(len, self._body)) > READ_AHEAD:
                self._connection.pause_body()
            self._wake()

    def finish(self) -> None:
        """The body has arrived as a whole."""
        self.complete = True
        if self.upload is not None:
            self.upload.finish()
        self._wake()

    def leave(self) -> None:
        """The client has left."""
        self.gone = True
        if self.upload is not None and not self.complete:
            self.upload.abort()
        if self.task is not None and not self.answered and not self.detached:
            self.task.cancel()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # The application's side

    async def receive(self) -> Message:
        if self.upload is not None and not self._is_told:
            self._is_told = True
            return NO_BODY
        while not self._is_told and not self.gone:
            if self._body or self.complete:
                return self._take()
            await self._wait()
        while not (self.gone or self.answered):
            await self._wait()
        return DISCONNECT

    def _take(self) -> Message:
        content, self._body = b"".join(self._body), []
        self._is_told = self.complete
        if not self.complete:
            self._connection.resume_body()
        return {"type": "http.request", "body": content, "more_body": not self.complete}

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    async def send(self, message: Message) -> None:
        """The head waits for the first piece of body, which tells whether a length is known: one write for both."""
        if self.gone or self.detached or self.answered:
            # An application that only ever sends would otherwise not get to hear that it is cancelled.
            await asyncio.sleep(0)
            return
        if message["type"] == "http.response.start":
            if self._start is not None or self._framing is not None:
                raise ValueError("the answer has been started already")
            self._start = message
            return
        more: bool = message.get("more_body", False)
        self._write(message.get("body", b""), more)
        if more:
            await self._pace()

    def _write(self, content: bytes, more: bool) -> None:
        head = b""
        if self._framing is None:
            if self._start is None:
                raise ValueError("the answer has not been started")
            head, self._framing = answers.frame(
                self._start, self._head.method, self._head.version, self._keeps, None if more else len(content)
            )
        if not self._framing.has_body:
            content = b""
        elif self._framing.is_chunked:
            content = (answers.chunk(content) if content else b"") + (b"" if more else answers.LAST_CHUNK)
        self._unyielded += len(content)
        self._connection.write(head + content)
        if not more:
            self._finished()

    @property
    def _keeps(self) -> bool:
        return self._head.keep_alive and self._connection.keeps_alive

    def _finished(self) -> None:
        assert self._framing is not None
        self.answered = True
        if not self.complete:
            self._give_up_body()
        self._wake()
        self._connection.answered(self._framing.closes)

    def _give_up_body(self) -> None:
        if self.upload is not None:
            self.upload.discard()
        else:
            self._discard = Discard(self._connection.cut)
            self._connection.resume_body()

    async def _pace(self) -> None:
        """Wait while the client is behind, and now and then for everybody else's sake."""
        if self._unyielded > TURN:
            self._unyielded = 0
            await asyncio.sleep(0)
        await self._connection.drained()

    async def detach(self) -> Detached:
        """Take the connection out of the server (``muelle.connection`` of the scope)."""
        await self._connection.flushed()
        released = self._connection.release()
        self.detached = True
        return released

    def ended(self, task: asyncio.Task[Any]) -> None:
        """The application is done, one way or another: it owes an answer. Called once."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("exception inside the application", exc_info=error)
        if self.answered or self.gone or self.detached:
            return
        if self._framing is not None:
            # Once a stream has begun, cutting it is the only sign that a client understands.
            self._connection.cut()
        elif task.cancelled():
            self._connection.refuse(503, "the server is shutting down", [b"Retry-After: 1"])
        else:
            self._connection.refuse(500, "internal server error")
