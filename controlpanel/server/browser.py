"""What a browser needs: sessions, protection against forged requests, security headers. One middleware for all.

Requests on the UNIX socket pass by: the kernel says who sends them, so there is no session to look for and nothing that
another site's page could forge.

Django's own middlewares run ``process_request`` and ``process_response`` in a thread under ASGI. Reading a cookie and
setting a lazy attribute need none, and a request would pay for six changes of thread. Only saving a session does I/O.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from asgiref.sync import markcoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.middleware.csrf import CsrfViewMiddleware

from controlpanel.server.scope import PEER

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse, HttpResponseBase


class BrowserMiddleware:
    """Adds ``settings.MUELLE_BROWSER_HEADERS`` to every answer that does not set them itself."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        self.session = SessionMiddleware(_never)
        self.csrf = CsrfViewMiddleware(_never)
        self.authentication = AuthenticationMiddleware(_never)
        markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Awaitable[HttpResponseBase]:
        return self.get_response(request) if PEER in request.META else self.serve(request)

    async def serve(self, request: HttpRequest) -> HttpResponseBase:
        self.session.process_request(request)
        # The secret of CSRF lives in a cookie (CSRF_USE_SESSIONS is off), so all its steps are pure.
        self.csrf.process_request(request)
        self.authentication.process_request(request)
        response: Any = await self.get_response(request)
        response = self.csrf.process_response(request, response)
        if request.session.modified:
            response = await sync_to_async(self.session.process_response)(request, response)
        else:
            response = self.session.process_response(request, response)
        for name, value in settings.MUELLE_BROWSER_HEADERS.items():
            response.headers.setdefault(name, value)
        return response  # type: ignore[no-any-return]

    async def process_view(
        self, request: HttpRequest, callback: Any, arguments: Any, keywords: Any
    ) -> HttpResponse | None:
        """A coroutine function, because Django moves a plain one into a thread."""
        if PEER in request.META:
            return None
        return self.csrf.process_view(request, callback, arguments, keywords)


def _never(request: HttpRequest) -> HttpResponseBase:
    """Stands for the rest of the chain in middlewares whose steps are called one by one."""
    raise NotImplementedError
