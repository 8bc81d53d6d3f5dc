"""Signing in and out, passwords and tokens, through the project's own middleware."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from controlpanel.access.models import AccessToken
from controlpanel.access.signin import FAILURES_PER_NAME
from tests.controlpanel.panel.conftest import PASSWORD

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NEW = "an even longer password"


class Browser:
    """Keeps cookies and sends the CSRF token that the server gave last, as the page does."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.csrf = ""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.generic(
            method,
            path,
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers={"X-CSRFToken": self.csrf},
        )
        if answer.headers.get("Content-Type", "").startswith("application/json"):
            self.csrf = answer.json().get("csrf", self.csrf)
        return answer

    def sign_in(self, username: str, password: str = PASSWORD) -> Any:
        self.ask("GET", "/panel/session")
        return self.ask("POST", "/panel/session", {"username": username, "password": password})


@pytest.fixture
def browser(db: None) -> Browser:
    return Browser()


def test_nobody_is_signed_in_at_first(browser: Browser) -> None:
    answer = browser.ask("GET", "/panel/session").json()
    assert answer["user"] is None
    assert answer["csrf"]
    assert answer["version"]


def test_sign_in_and_out(browser: Browser, admin: User) -> None:
    assert browser.sign_in("ada").json()["user"] == {"name": "ada", "is_admin": True}
    assert browser.ask("GET", "/panel/containers").status_code == 200
    assert browser.ask("DELETE", "/panel/session").json()["user"] is None
    assert browser.ask("GET", "/panel/containers").status_code == 401


def test_sign_in_needs_the_csrf_token(browser: Browser, admin: User) -> None:
    answer = browser.ask("POST", "/panel/session", {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["message"]


def test_a_wrong_password_is_refused_and_guessing_is_slowed(browser: Browser, admin: User) -> None:
    for _ in range(FAILURES_PER_NAME):
        assert browser.sign_in("ada", "wrong").status_code == 401
    answer = browser.sign_in("ada")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "body", [None, [], {"username": "ada"}, {"username": 1, "password": "x"}, {"username": "a\0", "password": "x"}]
)
def test_a_malformed_sign_in_is_an_invalid_argument(browser: Browser, body: Any) -> None:
    browser.ask("GET", "/panel/session")
    assert browser.ask("POST", "/panel/session", body).status_code == 400


def test_a_form_is_not_json(browser: Browser) -> None:
    browser.ask("GET", "/panel/session")
    answer = browser.client.post("/panel/session", {"username": "ada"}, headers={"X-CSRFToken": browser.csrf})
    assert answer.status_code == 400


def test_a_new_password_ends_other_sessions(browser: Browser, viewer: User) -> None:
    other = Browser()
    other.sign_in("vera")
    browser.sign_in("vera")
    answer = browser.ask("POST", "/panel/password", {"current": PASSWORD, "new": NEW})
    assert answer.status_code == 200
    assert browser.ask("GET", "/panel/tokens").status_code == 200
    assert other.ask("GET", "/panel/tokens").status_code == 401
    assert Browser().sign_in("vera", NEW).status_code == 200


@pytest.mark.parametrize(("current", "new"), [("wrong", NEW), (PASSWORD, "short"), (PASSWORD, "password123")])
def test_a_bad_new_password_changes_nothing(browser: Browser, viewer: User, current: str, new: str) -> None:
    browser.sign_in("vera")
    assert browser.ask("POST", "/panel/password", {"current": current, "new": new}).status_code == 400
    viewer.refresh_from_db()
    assert viewer.check_password(PASSWORD)


def test_a_token_is_shown_once_and_works(browser: Browser, viewer: User) -> None:
    browser.sign_in("vera")
    made = browser.ask("POST", "/panel/tokens", {"name": "laptop", "days": 30})
    assert made.status_code == 201
    secret = made.json()["secret"]
    listed = browser.ask("GET", "/panel/tokens")
    assert secret not in listed.content.decode()
    assert [token["name"] for token in listed.json()["tokens"]] == ["laptop"]
    script = Client(enforce_csrf_checks=True)
    assert script.get("/panel/containers", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    assert script.get("/panel/tokens", headers={"Authorization": f"Bearer {secret}"}).status_code == 403


@pytest.mark.parametrize(
    "body",
    [{"name": ""}, {"name": " "}, {"name": "x", "days": 0}, {"name": "x", "days": "7"}, {"name": "x", "days": True}],
)
def test_a_token_needs_a_name_and_a_sensible_life(browser: Browser, viewer: User, body: Any) -> None:
    browser.sign_in("vera")
    assert browser.ask("POST", "/panel/tokens", body).status_code == 400


def test_nobody_removes_the_token_of_another(browser: Browser, admin: User, viewer: User) -> None:
    token, _ = AccessToken.objects.issue(admin, "hers")
    browser.sign_in("vera")
    assert browser.ask("DELETE", f"/panel/tokens/{token.pk}").status_code == 404
    browser.sign_in("ada")
    assert browser.ask("DELETE", f"/panel/tokens/{token.pk}").status_code == 204
    assert not AccessToken.objects.exists()
