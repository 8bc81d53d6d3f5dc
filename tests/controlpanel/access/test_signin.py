"""Passwords and the brake on guessing them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone

from controlpanel.access import signin
from controlpanel.access.models import FailedSignIn
from engine.errors import Unauthorized
from tests.controlpanel.access.conftest import PASSWORD

if TYPE_CHECKING:
    from django.http import HttpRequest
    from pytest_django import Settings


def ask(address: str = "10.0.0.1") -> HttpRequest:
    request = RequestFactory().post("/", REMOTE_ADDR=address)
    request.session = SessionStore()
    return request


def fail(username: str, address: str, times: int = 1) -> None:
    FailedSignIn.objects.bulk_create(FailedSignIn(username=username, address=address) for _ in range(times))


def test_the_right_password_opens_a_session(admin: User) -> None:
    request = ask()
    fail("ada", "10.0.0.1")
    attempt = signin.Attempt("ada", "10.0.0.1")
    assert signin.sign_in(request, "ada", PASSWORD) == admin
    attempt.succeeded()
    assert request.session["_auth_user_id"] == str(admin.pk)
    assert not FailedSignIn.objects.exists()


@pytest.mark.parametrize(("username", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("", "")])
def test_a_wrong_one_is_refused(admin: User, username: str, password: str) -> None:
    with pytest.raises(Unauthorized, match="wrong user name or password"):
        signin.sign_in(ask(), username, password)


@pytest.mark.django_db
def test_a_guess_is_counted_before_it_is_looked_at() -> None:
    """Forty guesses that arrive at once would otherwise all be looked at before the first is counted."""
    tried = [signin.Attempt("ada", "10.0.0.1").seconds_blocked == 0 for _ in range(40)]
    assert tried == [True] * signin.FAILURES_PER_NAME + [False] * (40 - signin.FAILURES_PER_NAME)
    assert FailedSignIn.objects.count() == signin.FAILURES_PER_NAME


@pytest.mark.django_db(transaction=True)
def test_guesses_made_at_once_are_all_counted() -> None:
    def guess(_number: int) -> bool:
        try:
            return signin.Attempt("ada", "10.0.0.1").seconds_blocked == 0
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(guess, range(40))) <= signin.FAILURES_PER_NAME


def test_a_disabled_user_cannot_sign_in(viewer: User) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(Unauthorized):
        signin.sign_in(ask(), "vera", PASSWORD)


@pytest.mark.django_db
def test_many_failures_block_the_name_from_that_address_only() -> None:
    fail("ada", "10.0.0.1", signin.FAILURES_PER_NAME)
    assert 0 < signin.Attempt("ada", "10.0.0.1").seconds_blocked <= signin.WINDOW.total_seconds()
    assert signin.Attempt("vera", "10.0.0.1").seconds_blocked == 0
    assert signin.Attempt("ada", "10.0.0.2").seconds_blocked == 0


@pytest.mark.django_db
def test_many_names_block_the_address() -> None:
    for number in range(signin.FAILURES_PER_ADDRESS):
        fail(f"user{number}", "10.0.0.1")
    assert signin.Attempt("ada", "10.0.0.1").seconds_blocked > 0


@pytest.mark.django_db
def test_old_failures_are_forgotten_and_removed() -> None:
    fail("ada", "10.0.0.1", signin.FAILURES_PER_NAME)
    FailedSignIn.objects.update(at=timezone.now() - signin.WINDOW)
    assert signin.Attempt("ada", "10.0.0.1").seconds_blocked == 0
    assert FailedSignIn.objects.count() == 1


@pytest.mark.parametrize(
    ("proxied", "header", "address"),
    [
        (False, "203.0.113.7", "10.0.0.1"),
        (True, "203.0.113.7", "203.0.113.7"),
        (True, "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        (True, "", "10.0.0.1"),
        (True, "x" * 100, "x" * signin.ADDRESS_LENGTH),
    ],
)
def test_behind_a_proxy_the_address_is_the_one_that_it_saw(
    settings: Settings, proxied: bool, header: str, address: str
) -> None:
    settings.MUELLE_TLS = proxied
    request = RequestFactory().post("/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": header})
    assert signin.address_of(request) == address
