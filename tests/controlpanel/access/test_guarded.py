"""Guarded views, asked through Django's own middleware by each kind of client."""

from __future__ import annotations

import json
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIRequest
from django.test import Client
from django.urls import path
from django.utils import timezone
from rest_framework.response import Response

from controlpanel.access.authentication import authenticate_async
from controlpanel.access.models import AccessToken
from controlpanel.access.policy import Principal, Source
from controlpanel.rest.views import EngineView
from controlpanel.server import scope
from engine.errors import Conflict

if TYPE_CHECKING:
    from rest_framework.request import Request

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
PEER: dict[str, Any] = {scope.PEER: (77, 0, 0)}


class LookView(EngineView):
    """For the database alone: runs in a thread."""

    actions = {"GET": "containers.view"}

    def get(self, request: Request) -> Response:
        return Response({"name": self.scope.principal.name})


class ActView(EngineView):
    """On the event loop."""

    actions = {"POST": "containers.start"}

    async def post(self, request: Request) -> Response:
        return Response({"name": self.scope.principal.name})


class CollideView(EngineView):
    actions = {"GET": "containers.view"}

    async def get(self, request: Request) -> Response:
        raise Conflict("the container is busy")


class FailView(EngineView):
    actions = {"GET": "containers.view"}

    def get(self, request: Request) -> Response:
        raise ZeroDivisionError("/secret/path")


urlpatterns = [
    path("look", LookView.as_view()),
    path("act", ActView.as_view()),
    path("collide", CollideView.as_view()),
    path("fail", FailView.as_view()),
]


@pytest.fixture(autouse=True)
def project(settings: Any) -> None:  # pytest-django's fixture hides the module's name on purpose
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = MIDDLEWARE


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


def signed_in(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def bearer(user: User, **kwargs: Any) -> dict[str, str]:
    _, secret = AccessToken.objects.issue(user, "laptop", **kwargs)
    return {"Authorization": f"Bearer {secret}"}


def with_csrf(client: Client) -> dict[str, str]:
    client.cookies[settings.CSRF_COOKIE_NAME] = "a" * 32
    return {"X-CSRFToken": "a" * 32}


def test_an_unknown_action_stops_the_import() -> None:
    with pytest.raises(ImproperlyConfigured):
        type("FlyView", (EngineView,), {"actions": {"GET": "containers.fly"}})


@pytest.mark.django_db
def test_nobody_is_told_to_sign_in(client: Client) -> None:
    answer = client.get("/look")
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/json")
    assert answer.content.endswith(b"\n")
    assert json.loads(answer.content)["message"]
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_viewer_looks_and_does_not_act(client: Client, viewer: User) -> None:
    signed_in(client, viewer)
    assert client.get("/look").json() == {"name": "vera"}
    assert client.post("/act", headers=with_csrf(client)).status_code == 403


def test_a_session_needs_the_csrf_header_to_act(client: Client, admin: User) -> None:
    signed_in(client, admin)
    assert client.post("/act").status_code == 403
    assert client.post("/act", headers=with_csrf(client)).json() == {"name": "ada"}


def test_a_session_from_a_foreign_origin_is_refused(client: Client, admin: User) -> None:
    headers = with_csrf(signed_in(client, admin)) | {"Origin": "https://evil.example"}
    assert client.post("/act", headers=headers).status_code == 403


def test_a_token_acts_without_csrf(client: Client, admin: User) -> None:
    assert client.post("/act", headers=bearer(admin)).json() == {"name": "ada"}
    token = AccessToken.objects.get()
    assert token.last_used is not None
    assert "muelle_" not in token.digest


def test_a_token_has_its_users_rights(client: Client, viewer: User) -> None:
    assert client.get("/look", headers=bearer(viewer)).status_code == 200
    assert client.post("/act", headers=bearer(viewer)).status_code == 403


def test_a_wrong_token_is_refused_though_the_session_is_good(client: Client, admin: User) -> None:
    signed_in(client, admin)
    assert client.get("/look", headers={"Authorization": "Bearer muelle_nonsense"}).status_code == 401


def test_an_expired_token_is_refused(client: Client, admin: User) -> None:
    headers = bearer(admin, expires=timezone.now() - timedelta(seconds=1))
    assert client.get("/look", headers=headers).status_code == 401


def test_a_disabled_users_token_is_refused(client: Client, viewer: User) -> None:
    headers = bearer(viewer)
    User.objects.update(is_active=False)
    assert client.get("/look", headers=headers).status_code == 401


def test_the_sockets_peer_acts_without_a_database() -> None:
    """No database fixture: a query would fail the test."""
    assert Client(enforce_csrf_checks=True).post("/act", **PEER).json() == {"name": "root"}


async def test_the_sockets_peer_costs_no_change_of_thread() -> None:
    request = ASGIRequest({"type": "http", "method": "POST", "path": "/act", "headers": []}, BytesIO())
    request.META.update(PEER)
    principal = await authenticate_async(request)
    assert principal == Principal("root", Source.SOCKET, is_admin=True)


@pytest.mark.django_db
def test_a_header_cannot_pretend_to_be_a_peer(client: Client) -> None:
    assert client.get("/look", headers={"muelle.peer": "1,0,0", "Muelle-Peer": "1,0,0"}).status_code == 401


def test_errors_of_the_tree_keep_status_and_text() -> None:
    answer = Client().get("/collide", **PEER)
    assert (answer.status_code, answer.content) == (409, b'{"message":"the container is busy"}\n')


def test_a_defect_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    answer = Client().get("/fail", **PEER)
    assert answer.status_code == 500
    assert b"secret" not in answer.content
    assert "ZeroDivisionError" in caplog.text
