"""Django's session, CSRF and authentication middleware without a thread hop where they do no I/O.

``MiddlewareMixin`` runs ``process_request`` and ``process_response`` in a worker thread under ASGI. Reading a cookie
and setting a lazy attribute need none, and a request would pay for six hops. Only saving a session does I/O.

Requests on the engine's socket pass by: the kernel says who sends them, so there is no session to look for and nothing
that another site's page could forge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.middleware.csrf import CsrfViewMiddleware

from controlpanel.access.authentication import PEER_KEY

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse, HttpResponseBase


class InlineSessionMiddleware(SessionMiddleware):
    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        if PEER_KEY in request.META:
            return await self.get_response(request)  # type: ignore[misc,no-any-return]  # async mode: a coroutine
        self.process_request(request)
        response: Any = await self.get_response(request)  # type: ignore[misc]
        if request.session.modified:
            return await sync_to_async(self.process_response, thread_sensitive=True)(request, response)
        return self.process_response(request, response)


class InlineAuthenticationMiddleware(AuthenticationMiddleware):
    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        if PEER_KEY not in request.META:
            self.process_request(request)
        response: Any = await self.get_response(request)  # type: ignore[misc]
        return response  # type: ignore[no-any-return]


class InlineCsrfMiddleware(CsrfViewMiddleware):
    """The secret lives in a cookie (CSRF_USE_SESSIONS is off), so all three steps are pure."""

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        if self.async_mode:
            # The handler wraps a plain process_view into a thread; a coroutine function it awaits as it is.
            self.process_view = self.process_view_inline  # type: ignore[method-assign,assignment]

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        if PEER_KEY in request.META:
            return await self.get_response(request)  # type: ignore[misc,no-any-return]
        self.process_request(request)
        response: Any = await self.get_response(request)  # type: ignore[misc]
        return self.process_response(request, response)

    async def process_view_inline(
        self, request: HttpRequest, callback: Any, arguments: Any, keywords: Any
    ) -> HttpResponse | None:
        if PEER_KEY in request.META:
            return None
        return super().process_view(request, callback, arguments, keywords)
