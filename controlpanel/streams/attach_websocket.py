"""``GET /containers/{id}/attach/ws``: attach over a WebSocket, in binary messages without frames.

The shim takes over a socket; a WebSocket is none, so it gets one end of a pair and this process moves the bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIRequest

from controlpanel.access.authentication import authenticate_async
from controlpanel.access.scope import Scope
from controlpanel.access.sockets import require_same_origin
from controlpanel.streams.attach import Wanted, find, hand_over
from engine.errors import MuelleError

if TYPE_CHECKING:
    from controlpanel.objects.models import Container

BLOCK = 64 * 1024
# Before 1.42 the flags in the query meant nothing.
FLAGS_SINCE = (1, 42)
VERSION = re.compile(r"^/v([0-9]+)\.([0-9]+)/")


class AttachConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    """One attached client. The shim sees its departure as the end of the pair."""

    pair: socket.socket | None = None
    reading: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        try:
            require_same_origin(self.scope)
            scope = Scope.of(await authenticate_async(_request(self.scope)))
            container = await find(scope, self.scope["url_route"]["kwargs"]["name"])
            wanted = _wanted(self.scope)
        except MuelleError:
            await self.close()
            return
        await self.accept()
        await self._begin(container, wanted)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.pair is not None:
            data = bytes_data if bytes_data is not None else (text_data or "").encode()
            with contextlib.suppress(OSError):
                await asyncio.get_running_loop().sock_sendall(self.pair, data)

    async def disconnect(self, code: int) -> None:
        if self.reading is not None:
            self.reading.cancel()
        if self.pair is not None:
            self.pair.close()

    async def _begin(self, container: Container, wanted: Wanted) -> None:
        self.pair, theirs = socket.socketpair()
        self.pair.setblocking(False)
        with theirs:
            message = {**wanted.message(tty=container.config["Tty"]), "framed": False}
            await hand_over(container, theirs.fileno(), message, tty=True)
        self.reading = asyncio.create_task(self._read(self.pair))

    async def _read(self, pair: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(pair, BLOCK):
                await self.send(bytes_data=data)
        await self.close()


def _request(scope: dict[str, Any]) -> ASGIRequest:
    """The handshake as a request, which the chokepoint of access can judge."""
    request = ASGIRequest({**scope, "method": "GET"}, io.BytesIO())
    SessionMiddleware(lambda _: None).process_request(request)  # type: ignore[arg-type]
    AuthenticationMiddleware(lambda _: None).process_request(request)  # type: ignore[arg-type]
    if "muelle.peer" in scope:
        request.META["muelle.peer"] = scope["muelle.peer"]
    return request


def _wanted(scope: dict[str, Any]) -> Wanted:
    wanted = Wanted.of(dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)))
    match = VERSION.match(scope["path"])
    if match and (int(match[1]), int(match[2])) < FLAGS_SINCE:
        return wanted._replace(stdin=True, stdout=True, stderr=True)
    return wanted
