"""Who sends a request: the socket's peer, a bearer token, or a browser's session.

The first that is present decides; a wrong token is an error and never falls back to a weaker proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from rest_framework.authentication import BaseAuthentication

from controlpanel.access.models import AccessToken
from controlpanel.access.policy import Principal, Source
from controlpanel.server.scope import PEER as PEER_KEY
from controlpanel.server.scope import Peer
from engine.errors import Forbidden, Unauthorized

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
    from rest_framework.request import Request

SCHEME = "Bearer"


def authenticate(request: HttpRequest) -> Principal | None:
    """The request's principal, or None for an anonymous one.

    Raises Unauthorized for a token that is unknown or expired, Forbidden for an unsafe request of a session without
    its CSRF header.
    """
    peer = peer_of(request)
    if peer is not None:
        return Principal.from_peer(peer)
    token = bearer_token(request)
    return _from_token(token) if token is not None else _from_session(request)


async def authenticate_async(request: HttpRequest) -> Principal | None:
    """As ``authenticate``, for the event loop; the socket's peer costs no change of thread."""
    peer = peer_of(request)
    if peer is not None:
        return Principal.from_peer(peer)
    return await sync_to_async(authenticate)(request)


def peer_of(request: HttpRequest) -> Peer | None:
    """The peer that the server noted in META, if the connection came over the engine's socket."""
    value = request.META.get(PEER_KEY)
    return Peer(*value) if value else None


def bearer_token(request: HttpRequest) -> str | None:
    """The token of ``Authorization: Bearer TOKEN``; other schemes (a registry's, say) are not ours to judge."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == SCHEME.lower() else None


def from_user(user: AbstractBaseUser | AnonymousUser, source: Source) -> Principal | None:
    """The principal of an active user; None for an anonymous or a disabled one."""
    if not user.is_authenticated or not user.is_active:
        return None
    return Principal(user.get_username(), source, bool(getattr(user, "is_superuser", False)), user.pk)


def _from_token(secret: str) -> Principal:
    token = AccessToken.objects.redeem(secret)
    principal = from_user(token.user, Source.TOKEN) if token else None
    if principal is None:
        raise Unauthorized("the token is unknown or has expired")
    return principal


def _from_session(request: HttpRequest) -> Principal | None:
    principal = from_user(request.user, Source.SESSION)
    if principal is not None:
        require_csrf(request)
    return principal


class _CsrfCheck(CsrfViewMiddleware):
    """Django's check with its reason as the result, for views that only a session must pass it in."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        raise Forbidden(reason)


def require_csrf(request: HttpRequest) -> None:
    """Raise Forbidden unless the request is safe (GET, HEAD, OPTIONS) or carries the page's CSRF header and origin."""
    check = _CsrfCheck(lambda _: HttpResponse())
    check.process_request(request)
    check.process_view(request, _no_view, (), {})


def _no_view(request: HttpRequest) -> HttpResponse:
    """Stands for the view in Django's check, which asks it for ``csrf_exempt``."""
    return HttpResponse()


class DockerAuthentication(BaseAuthentication):
    """REST framework's door to ``authenticate``: ``request.user`` becomes the Principal."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        principal = authenticate(request._request)
        return (principal, None) if principal else None

    def authenticate_header(self, request: Request) -> str:
        return f'{SCHEME} realm="muelle"'
