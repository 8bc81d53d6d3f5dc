"""Who holds a WebSocket, and whether it was our page that opened it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie

from controlpanel.access.authentication import from_user
from controlpanel.access.policy import Principal, Source
from engine.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Mapping


class ScopeIdentity:
    """The session of a WebSocket, read anew each time: a user signed out or disabled meanwhile is noticed."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        cookies = parse_cookie(header(scope, b"cookie"))
        self._session_key: str | None = cookies.get(settings.SESSION_COOKIE_NAME)

    async def read(self) -> Principal | None:
        """The session's principal at this moment; at most two queries."""
        return await sync_to_async(self._read)()

    def _read(self) -> Principal | None:
        if not self._session_key:
            return None
        engine = import_module(settings.SESSION_ENGINE)
        request = HttpRequest()
        request.session = engine.SessionStore(self._session_key)
        return from_user(get_user(request), Source.SESSION)


def require_same_origin(scope: Mapping[str, Any]) -> None:
    """Raise Forbidden when a browser's page of another origin opens the socket (it would send our cookie along).

    Browsers always send Origin here, RFC 6455 section 4.1; a client without one has no user to be tricked.
    """
    origin = header(scope, b"origin")
    if origin and not _is_own(origin, header(scope, b"host")) and origin not in settings.CSRF_TRUSTED_ORIGINS:
        raise Forbidden(f"{origin} may not connect to this address")


def _is_own(origin: str, host: str) -> bool:
    """Behind TLS a page of the same host that came without it may be anybody's on the way."""
    parts = urlsplit(origin)
    return parts.netloc == host and (parts.scheme == "https" or not settings.MUELLE_TLS)


def header(scope: Mapping[str, Any], name: bytes) -> str:
    """The header's first value, or empty."""
    values: list[bytes] = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if values else ""
