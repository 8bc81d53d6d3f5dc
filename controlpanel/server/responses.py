"""Django's answers that are more than a head and a body."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from controlpanel.server.scope import CONNECTION, Connection

Take = Callable[[socket.socket, bytes], Awaitable[None]]
OnLost = Callable[[], Awaitable[None]]


class NotHijackable(Exception):
    """The request did not come over a connection that can be handed out."""


class StreamedResponse(StreamingHttpResponse):
    """Closes its generator when the answer ends, once the handler has begun to send it.

    When the client leaves, Django drops a generator that waits at its ``yield``; what that holds, a worker at the other
    end of a pipe for instance, would last until the garbage collector finds it. A generator that never began has no
    ``finally`` to run: what it is to own must be owned by something that closes itself.
    """

    def __init__(self, chunks: AsyncGenerator[bytes, None], content_type: str) -> None:
        super().__init__(chunks, content_type=content_type)
        self._chunks = chunks

    async def aclose(self) -> None:
        await self._chunks.aclose()


class HijackResponse(HttpResponse):
    """An answer after which the connection belongs to somebody else.

    A view checks everything first and then returns one of these. The server takes the connection out of its loop,
    writes the head, and awaits ``take`` with the client's socket and the bytes that it had read past the request. 101
    when the client asked for an upgrade, else 200 and raw bytes until the connection is closed. When the client leaves
    before ``take`` is called, ``on_lost`` is awaited instead. Raises NotHijackable.
    """

    def __init__(self, request: HttpRequest, content_type: str, take: Take, on_lost: OnLost | None = None) -> None:
        self.upgrade = wants_upgrade(request)
        super().__init__(status=101 if self.upgrade else 200, content_type=content_type)
        connection: Connection | None = getattr(request, "scope", {}).get(CONNECTION)
        if connection is None:
            raise NotHijackable
        self._connection = connection
        self._take, self._on_lost = take, on_lost

    def head(self) -> bytes:
        status = "101 UPGRADED" if self.upgrade else "200 OK"
        upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if self.upgrade else ""
        return f"HTTP/1.1 {status}\r\nContent-Type: {self.headers['Content-Type']}\r\n{upgrade}\r\n".encode()

    async def take_over(self) -> None:
        """Called by the server instead of sending this response. A client that has left is no error."""
        with contextlib.suppress(ConnectionError):
            client, surplus = await self._begin()
            with client:
                await self._take(client, surplus)

    async def _begin(self) -> tuple[socket.socket, bytes]:
        """The client's socket, with the head written to it, and what had been read too far."""
        with contextlib.ExitStack() as undo:
            try:
                detached = await self._connection.detach()
                client = undo.enter_context(socket.socket(fileno=detached.fd))
                client.sendall(self.head())
            except BaseException:
                if self._on_lost is not None:
                    await self._on_lost()
                raise
            undo.pop_all()
        return client, detached.surplus


def wants_upgrade(request: HttpRequest) -> bool:
    return "HTTP_UPGRADE" in request.META
