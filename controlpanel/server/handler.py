"""Django's ASGI handler for this server: socket peers in META, hijacked answers, no panel on the UNIX socket.

Django's own changes the thread three times for each request: for ``request_started``, for the view, for
``response.close()``. Only the view has to; what the signals do, the pool of threads does where it is of use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest

from controlpanel.streams.connection import PEER
from controlpanel.streams.hijack import HijackResponse
from controlpanel.streams.responses import StreamedResponse

if TYPE_CHECKING:
    from django.http import HttpResponseBase

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

PANEL_PREFIXES = ("/panel/", "/static/")
NOT_FOUND = b'{"message":"page not found"}\n'


class Request(ASGIRequest):
    """Adds ``META["muelle.peer"]``, a name that no header can take because headers become ``HTTP_…``."""

    def __init__(self, scope: dict[str, Any], body_file: Any) -> None:
        super().__init__(scope, body_file)
        if PEER in scope:
            self.META[PEER] = scope[PEER]


class Handler(ASGIHandler):
    """Serves views; the page for browsers exists on TCP only, since a browser has no way to the UNIX socket."""

    request_class = Request

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        path = scope["path"]
        if PEER in scope and (path == "/" or path.startswith(PANEL_PREFIXES)):
            await _not_found(send)
        else:
            await self.handle(scope, receive, send)

    async def handle(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with body:
            request, refusal = self.create_request(scope, body)
            if request is not None:
                await self._answer(request, receive, send)
            elif refusal is not None:
                await self.send_response(refusal, send)

    async def _answer(self, request: ASGIRequest, receive: Receive, send: Send) -> None:
        """Respond for as long as the client is there; a view is cancelled when it leaves."""
        leaving = asyncio.ensure_future(receive())
        responding = asyncio.ensure_future(self._respond(request, send))
        try:
            await asyncio.wait([leaving, responding], return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not responding.done():
                responding.cancel()
                await asyncio.wait([responding])
        if not responding.cancelled():
            responding.result()

    async def _respond(self, request: ASGIRequest, send: Send) -> None:
        response = await self.run_get_response(request)
        try:
            await self.send_response(response, send)
        finally:
            response.close()

    async def send_response(self, response: HttpResponseBase, send: Send) -> None:
        if isinstance(response, HijackResponse):
            await response.take_over()
        elif isinstance(response, StreamedResponse):
            try:
                await super().send_response(response, send)
            finally:
                await response.aclose()
        else:
            await super().send_response(response, send)


async def _not_found(send: Send) -> None:
    headers = [(b"Content-Type", b"application/json")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": NOT_FOUND})
