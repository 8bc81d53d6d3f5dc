"""Django's ASGI handler for this server, with what a request costs in mind.

Django's own makes two tasks more for each request, one of which waits for the client to leave: this server cancels the
application then. It changes the thread for ``request_started``, for ``response.close()`` and to log an answer of 4xx:
what the signals do, the pool of threads does where it is of use.
"""

from __future__ import annotations

import io
import tempfile
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any

from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpResponse
from django.urls import ResolverMatch, get_resolver
from django.utils.log import log_response

from controlpanel.server.responses import HijackResponse, StreamedResponse
from controlpanel.server.scope import PEER, Receive, Scope, Send

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

# Of a body that is read before the view runs; more of it lies in a temporary file.
BODY_IN_MEMORY = 64 * 1024
REMEMBERED_PATHS, REMEMBERED_PATH = 2048, 256


class Request(ASGIRequest):
    """Adds ``META["muelle.peer"]``, a name that no header can take because headers become ``HTTP_…``."""

    def __init__(self, scope: dict[str, Any], body_file: Any) -> None:
        super().__init__(scope, body_file)
        if PEER in scope:
            self.META[PEER] = scope[PEER]


class Handler(ASGIHandler):
    request_class = Request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with body:
            request, refusal = self.create_request(scope, body)
            if request is not None:
                await self._respond(request, send)
            elif refusal is not None:
                await self.send_response(refusal, send)

    async def _respond(self, request: ASGIRequest, send: Send) -> None:
        response = await self.run_get_response(request)
        try:
            await self.send_response(response, send)
        finally:
            response.close()

    async def read_body(self, receive: Receive) -> IO[bytes]:
        """As Django's, without a temporary file's wrapper around the little that most bodies are."""
        message = await receive()
        if not message.get("more_body") and message["type"] != "http.disconnect":
            return io.BytesIO(message["body"])
        body = tempfile.SpooledTemporaryFile(BODY_IN_MEMORY)  # noqa: SIM115  # closed by the caller
        try:
            while message["type"] == "http.request":
                body.write(message["body"])
                if not message["more_body"]:
                    body.seek(0)
                    return body
                message = await receive()
            raise RequestAborted
        except BaseException:
            body.close()
            raise

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """As Django's, but that it logs without a thread, and that there is one URLconf."""
        response: Any = await self._middleware_chain(request)  # type: ignore[attr-defined]  # see decision 0011
        response._resource_closers.append(request.close)
        if response.status_code >= 500:
            log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request)
        return response  # type: ignore[no-any-return]

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """As Django's, for one URLconf that does not change: looking through its patterns costs up to 70 µs."""
        path = request.path_info
        match = _match(path) if len(path) <= REMEMBERED_PATH else get_resolver().resolve(path)
        request.resolver_match = match
        return match

    async def send_response(self, response: HttpResponseBase, send: Send) -> None:
        if isinstance(response, HijackResponse):
            await response.take_over()
        elif isinstance(response, HttpResponse):
            await send({"type": "http.response.start", "status": response.status_code, "headers": _headers(response)})
            await send({"type": "http.response.body", "body": response.content})
        elif isinstance(response, StreamedResponse):
            try:
                await super().send_response(response, send)
            finally:
                await response.aclose()
        else:
            await super().send_response(response, send)


def _headers(response: HttpResponse) -> list[tuple[bytes, bytes]]:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    cookies = [(b"Set-Cookie", cookie.OutputString().encode("ascii")) for cookie in response.cookies.values()]
    return headers + cookies


@lru_cache(REMEMBERED_PATHS)
def _match(path: str) -> ResolverMatch:
    return get_resolver().resolve(path)
