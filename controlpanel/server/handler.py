"""Django's ASGI handler for this server: socket peers in META, hijacked answers, no panel on the UNIX socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.core.handlers.asgi import ASGIHandler, ASGIRequest

from controlpanel.streams.connection import PEER
from controlpanel.streams.hijack import HijackResponse
from controlpanel.streams.responses import StreamedResponse

if TYPE_CHECKING:
    from django.http import HttpResponseBase

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

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        path = scope["path"]
        if PEER in scope and (path == "/" or path.startswith(PANEL_PREFIXES)):
            await _not_found(send)
        else:
            await super().__call__(scope, receive, send)

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
