"""``GET /containers/{id}/attach/ws``: attach over a WebSocket, in binary messages without frames.

The shim takes over a socket; a WebSocket is none, so it gets one end of a pair and this process moves the bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIRequest

from controlpanel.access.authentication import authenticate_async
from controlpanel.access.scope import Scope
from controlpanel.access.sockets import require_same_origin
from controlpanel.rest import versions
from controlpanel.rest.consumers import Consumer
from controlpanel.streams.attach import Wanted, find, has_somebody_to_take_it, serve
from controlpanel.streams.typed import Typed
from engine.errors import InvalidArgument, MuelleError

if TYPE_CHECKING:
    from controlpanel.objects.models import Container

BLOCK = 64 * 1024
# Before 1.42 the flags in the query meant nothing.
FLAGS_SINCE = (1, 42)
# RFC 6455 section 7.4.1: the client sends more than its policy allows.
CLOSE_OVERRUN = 1008


class AttachConsumer(Consumer):
    """One attached client. The shim sees its departure as the end of the pair."""

    def __init__(self) -> None:
        super().__init__()
        self._typed = Typed()
        self._pair: socket.socket | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def connect(self) -> None:
        try:
            require_same_origin(self.scope)
            wanted = _wanted(self.scope)
            scope = Scope.of(await authenticate_async(_request(self.scope)))
            container = await find(scope, self.scope["url_route"]["kwargs"]["name"])
            await has_somebody_to_take_it(container, wanted)
        except MuelleError:
            await self.close()
            return
        await self.accept()
        self._begin(container, wanted)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        data = bytes_data if bytes_data is not None else (text_data or "").encode()
        if not self._typed.put(data):
            await self.close(CLOSE_OVERRUN)

    async def clean_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._pair is not None:
            self._pair.close()

    def _begin(self, container: Container, wanted: Wanted) -> None:
        pair, theirs = socket.socketpair()
        self._pair = pair
        pair.setblocking(False)
        work: list[Coroutine[Any, Any, None]] = [_serve(container, theirs, wanted), self._read(pair), self._write(pair)]
        self._tasks = [asyncio.create_task(each) for each in work]

    async def _read(self, pair: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(pair, BLOCK):
                await self.send(bytes_data=data)
        await self.close()

    async def _write(self, pair: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            await self._typed.forward(lambda data: loop.sock_sendall(pair, data))


async def _serve(container: Container, client: socket.socket, wanted: Wanted) -> None:
    with client:
        await serve(container, client, b"", wanted, framed=False)


def _request(scope: dict[str, Any]) -> ASGIRequest:
    """The handshake as a request, which the chokepoint of access can judge."""
    request = ASGIRequest({**scope, "method": "GET"}, io.BytesIO())
    SessionMiddleware(lambda _: None).process_request(request)  # type: ignore[arg-type]
    AuthenticationMiddleware(lambda _: None).process_request(request)  # type: ignore[arg-type]
    if "muelle.peer" in scope:
        request.META["muelle.peer"] = scope["muelle.peer"]
    return request


def _wanted(scope: dict[str, Any]) -> Wanted:
    """Raises InvalidArgument, also for a version that is not served."""
    version, _ = versions.split(scope["path"])
    version = version or versions.MAXIMUM
    if message := versions.fault(version):
        raise InvalidArgument(message)
    wanted = Wanted.of(dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)))
    return wanted if version >= FLAGS_SINCE else wanted._replace(stdin=True, stdout=True, stderr=True)
