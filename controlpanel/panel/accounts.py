"""Signing in and out, the own password, the own tokens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from django.contrib import auth
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from rest_framework.response import Response

from controlpanel.access import errors, signin
from controlpanel.access.authentication import from_user
from controlpanel.access.decorators import anonymous
from controlpanel.access.models import AccessToken
from controlpanel.access.policy import Source
from controlpanel.access.scope import Scope
from controlpanel.panel import about
from controlpanel.rest import bodies
from controlpanel.rest.views import EngineView, empty
from engine.errors import Conflict, InvalidArgument, NotFound

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from rest_framework.request import Request

MAX_BODY = 64 * 1024
MAX_TOKENS = 50
MAX_DAYS = 3650
NAME_LENGTH = 80
TOO_MANY_REQUESTS = 429


@anonymous
@require_http_methods(["GET", "POST", "DELETE"])
def session(request: HttpRequest) -> HttpResponse:
    """``GET``: who am I, and the CSRF token. ``POST``: sign in. ``DELETE``: sign out."""
    if request.method == "POST":
        body = read_body(request)
        username, password = text(body, "username", signin.NAME_LENGTH), text(body, "password", 1024)
        attempt = signin.Attempt(username, signin.address_of(request))
        if attempt.seconds_blocked:
            return _blocked(attempt.seconds_blocked)
        signin.sign_in(request, username, password)
        attempt.succeeded()
    elif request.method == "DELETE":
        auth.logout(request)
    return _whoami(request)


class PasswordView(EngineView):
    actions = {"POST": "account.manage"}

    def post(self, request: Request) -> HttpResponse:
        """Change the own password. Other sessions end with it: their hash of it no longer fits."""
        body, user = read_body(request._request), _user_of(self.scope)
        attempt = signin.Attempt(user.get_username(), signin.address_of(request._request))
        if attempt.seconds_blocked:
            return _blocked(attempt.seconds_blocked)
        if not user.check_password(text(body, "current", 1024)):
            raise InvalidArgument("the current password is wrong")
        attempt.succeeded()
        _set_password(user, text(body, "new", 1024))
        request._request.user = user  # in the place of the principal: Django looks whose session it is
        auth.update_session_auth_hash(request._request, user)
        return _whoami(request._request)


def _set_password(user: Any, new: str) -> None:
    try:
        password_validation.validate_password(new, user)
    except ValidationError as error:
        raise InvalidArgument(" ".join(error.messages)) from error
    user.set_password(new)
    user.save(update_fields=["password"])


class TokensView(EngineView):
    actions = {"GET": "account.manage", "POST": "account.manage"}

    def get(self, request: Request) -> Response:
        """The own tokens, newest first."""
        return Response({"tokens": [_token(token) for token in _tokens_of(self.scope)]})

    def post(self, request: Request) -> Response:
        """``{"name", "days" or null}``: a new one, its secret shown once."""
        if _tokens_of(self.scope).count() >= MAX_TOKENS:
            raise Conflict(f"you have {MAX_TOKENS} tokens: remove one first")
        body = read_body(request._request)
        made, secret = AccessToken.objects.issue(_user_of(self.scope), _name(body), _expiry(body.get("days")))
        return Response({"token": _token(made), "secret": secret}, status=201)


class TokenView(EngineView):
    actions = {"DELETE": "account.manage"}

    def delete(self, request: Request, token_id: int) -> Response:
        """Remove one of the own tokens; it ends at once."""
        deleted, _ = _tokens_of(self.scope).filter(pk=token_id).delete()
        if not deleted:
            raise NotFound("no such token")
        return empty(204)


def _user_of(scope: Scope) -> Any:
    """The own row: only a session may ask, and behind a session is a user."""
    return auth.get_user_model().objects.get(pk=cast("int", scope.principal.user_id))


def _tokens_of(scope: Scope) -> QuerySet[AccessToken]:
    return AccessToken.objects.filter(user_id=cast("int", scope.principal.user_id))


def read_body(request: HttpRequest) -> dict[str, Any]:
    """The request's JSON object."""
    return bodies.read_object(request, limit=MAX_BODY)


def text(body: dict[str, Any], name: str, limit: int) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value or len(value) > limit or "\0" in value:
        raise InvalidArgument(f"{name}: want a text of 1 to {limit} characters")
    return value


def _whoami(request: HttpRequest) -> JsonResponse:
    principal = from_user(request.user, Source.SESSION)
    user = {"name": principal.name, "is_admin": principal.is_admin} if principal else None
    return JsonResponse({"user": user, "csrf": get_token(request), **about.identity()})


def _blocked(seconds: int) -> HttpResponse:
    response = errors.respond(TOO_MANY_REQUESTS, f"too many wrong passwords: try again in {_minutes(seconds)}")
    response["Retry-After"] = str(seconds)
    return response


def _minutes(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"


def _name(body: dict[str, Any]) -> str:
    name = text(body, "name", NAME_LENGTH).strip()
    if not name:
        raise InvalidArgument("give the token a name")
    return name


def _expiry(days: Any) -> datetime | None:
    if days is None:
        return None
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MAX_DAYS:
        raise InvalidArgument(f"days: want a number from 1 to {MAX_DAYS}, or null")
    return timezone.now() + timedelta(days=days)


def _token(token: AccessToken) -> dict[str, Any]:
    def moment(value: datetime | None) -> str | None:
        return value.isoformat() if value else None

    return {
        "id": token.pk,
        "name": token.name,
        "created": moment(token.created),
        "last_used": moment(token.last_used),
        "expires": moment(token.expires),
    }
