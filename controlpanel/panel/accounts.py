"""Signing in and out, the own password, the own tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from django.contrib import auth
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.middleware.csrf import get_token
from django.utils import timezone
from rest_framework.response import Response

from controlpanel.access import signin
from controlpanel.access.authentication import from_user, require_csrf
from controlpanel.access.models import AccessToken
from controlpanel.access.policy import Source
from controlpanel.access.scope import Scope
from controlpanel.panel import about
from controlpanel.panel.serializers import IssuedToken, NewPassword, NewToken, SignIn, Tokens, Whoami
from controlpanel.rest import bodies, errors, serializers
from controlpanel.rest.openapi import Operation
from controlpanel.rest.views import EngineView, empty
from engine.errors import Conflict, InvalidArgument, NotFound

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpResponse
    from rest_framework.request import Request
    from rest_framework.serializers import Serializer

MAX_BODY = 64 * 1024
MAX_TOKENS = 50
TOO_MANY_REQUESTS = 429


class SessionView(EngineView):
    """Open to all."""

    operations = {
        "GET": Operation("Who is signed in, and the token against forged requests", answer=Whoami),
        "POST": Operation("Sign in", body=SignIn, answer=Whoami),
        "DELETE": Operation("Sign out", answer=Whoami),
    }

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        require_csrf(request._request)

    def get(self, request: Request) -> Response:
        return _whoami(request)

    def post(self, request: Request) -> HttpResponse:
        wanted = _form(SignIn, request)
        attempt = signin.Attempt(wanted["username"], signin.address_of(request._request))
        if attempt.seconds_blocked:
            return _blocked(attempt.seconds_blocked)
        signin.sign_in(request._request, **wanted)
        attempt.succeeded()
        return _whoami(request)

    def delete(self, request: Request) -> Response:
        auth.logout(request._request)
        return _whoami(request)


class PasswordView(EngineView):
    actions = {"POST": "account.manage"}
    operations = {"POST": Operation("Change the own password", body=NewPassword, answer=Whoami)}

    def post(self, request: Request) -> HttpResponse:
        """Change the own password. Other sessions end with it: their hash of it no longer fits."""
        wanted, user = _form(NewPassword, request), _user_of(self.scope)
        attempt = signin.Attempt(user.get_username(), signin.address_of(request._request))
        if attempt.seconds_blocked:
            return _blocked(attempt.seconds_blocked)
        if not user.check_password(wanted["current"]):
            raise InvalidArgument("the current password is wrong")
        attempt.succeeded()
        _set_password(user, wanted["new"])
        request._request.user = user  # in the place of the principal: Django looks whose session it is
        auth.update_session_auth_hash(request._request, user)
        return _whoami(request)


def _set_password(user: Any, new: str) -> None:
    try:
        password_validation.validate_password(new, user)
    except ValidationError as error:
        raise InvalidArgument(" ".join(error.messages)) from error
    user.set_password(new)
    user.save(update_fields=["password"])


class TokensView(EngineView):
    actions = {"GET": "account.manage", "POST": "account.manage"}
    operations = {
        "GET": Operation("The own tokens, newest first", answer=Tokens),
        "POST": Operation("Make a token", body=NewToken, status=201, answer=IssuedToken),
    }

    def get(self, request: Request) -> Response:
        return Response(Tokens({"tokens": _tokens_of(self.scope)}).data)

    def post(self, request: Request) -> Response:
        """A new one; without ``days`` it never expires."""
        if _tokens_of(self.scope).count() >= MAX_TOKENS:
            raise Conflict(f"you have {MAX_TOKENS} tokens: remove one first")
        wanted = _form(NewToken, request)
        expires = timezone.now() + timedelta(days=wanted["days"]) if wanted["days"] else None
        made, secret = AccessToken.objects.issue(_user_of(self.scope), wanted["name"], expires)
        return Response(IssuedToken({"token": made, "secret": secret}).data, status=201)


class TokenView(EngineView):
    actions = {"DELETE": "account.manage"}
    operations = {"DELETE": Operation("Remove a token", status=204)}

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


def _form(form: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    """The checked fields of the request's JSON object."""
    return serializers.read(form, bodies.read_object(request._request, limit=MAX_BODY))


def _whoami(request: Request) -> Response:
    principal = from_user(request._request.user, Source.SESSION)
    user = {"name": principal.name, "is_admin": principal.is_admin} if principal else None
    return Response(Whoami({"user": user, "csrf": get_token(request._request), **about.identity()}).data)


def _blocked(seconds: int) -> HttpResponse:
    response = errors.respond(TOO_MANY_REQUESTS, f"too many wrong passwords: try again in {_minutes(seconds)}")
    response["Retry-After"] = str(seconds)
    return response


def _minutes(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
