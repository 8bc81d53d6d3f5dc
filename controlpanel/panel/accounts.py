"""Signing in and out, the own password, the own tokens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from django.contrib import auth
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from controlpanel.access import errors, signin
from controlpanel.access.authentication import from_user
from controlpanel.access.decorators import anonymous, guarded
from controlpanel.access.models import AccessToken
from controlpanel.access.policy import Source
from controlpanel.panel import about
from engine.errors import Conflict, InvalidArgument, NotFound

if TYPE_CHECKING:
    from django.http import HttpRequest

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
        wait = signin.seconds_blocked(username, signin.address_of(request))
        if wait:
            return _blocked(wait)
        signin.sign_in(request, username, password)
    elif request.method == "DELETE":
        auth.logout(request)
    return _whoami(request)


@guarded("account.manage")
@require_http_methods(["POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Change the own password. Other sessions end with it: their hash of it no longer fits."""
    body = read_body(request)
    user: Any = request.user
    wait = signin.seconds_blocked(user.get_username(), signin.address_of(request))
    if wait:
        return _blocked(wait)
    if not user.check_password(text(body, "current", 1024)):
        signin.note_failure(user.get_username(), signin.address_of(request))
        raise InvalidArgument("the current password is wrong")
    new = text(body, "new", 1024)
    try:
        password_validation.validate_password(new, user)
    except ValidationError as error:
        raise InvalidArgument(" ".join(error.messages)) from error
    user.set_password(new)
    user.save(update_fields=["password"])
    auth.update_session_auth_hash(request, user)
    return _whoami(request)


@guarded("account.manage")
@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """``GET``: the own tokens, newest first. ``POST {"name", "days" or null}``: a new one, its secret shown once."""
    mine = AccessToken.objects.filter(user_id=_me(request))
    if request.method == "GET":
        return JsonResponse({"tokens": [_token(token) for token in mine]})
    if mine.count() >= MAX_TOKENS:
        raise Conflict(f"you have {MAX_TOKENS} tokens: remove one first")
    body = read_body(request)
    made, secret = AccessToken.objects.issue(request.user, _name(body), _expiry(body.get("days")))
    return JsonResponse({"token": _token(made), "secret": secret}, status=201)


@guarded("account.manage")
@require_http_methods(["DELETE"])
def token(request: HttpRequest, token_id: int) -> HttpResponse:
    """Remove one of the own tokens; it ends at once."""
    deleted, _ = AccessToken.objects.filter(user_id=_me(request), pk=token_id).delete()
    if not deleted:
        raise NotFound("no such token")
    return HttpResponse(status=204)


def read_body(request: HttpRequest) -> dict[str, Any]:
    """The request's JSON object."""
    if request.content_type != "application/json":
        raise InvalidArgument("the request's content type is not application/json")
    data = request.read(MAX_BODY + 1)
    if len(data) > MAX_BODY:
        raise InvalidArgument("the request is too large")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidArgument("the request is not JSON") from error
    if not isinstance(value, dict):
        raise InvalidArgument("the request is not an object")
    return value


def text(body: dict[str, Any], name: str, limit: int) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value or len(value) > limit or "\0" in value:
        raise InvalidArgument(f"{name}: want a text of 1 to {limit} characters")
    return value


def _me(request: HttpRequest) -> int:
    user_id: int = request.principal.user_id  # type: ignore[attr-defined]  # set by ``guarded``
    return user_id


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
