"""Signing in with a password, with a brake on guessing."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import auth
from django.db.models import Min
from django.utils import timezone

from controlpanel.access.models import FailedSignIn
from engine.errors import Unauthorized

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser
    from django.http import HttpRequest

WINDOW = timedelta(minutes=5)
# One person's slips, and one address that tries many names.
FAILURES_PER_NAME = 8
FAILURES_PER_ADDRESS = 60
NAME_LENGTH = 150
ADDRESS_LENGTH = 64


class Attempt:
    """One guess at a password, counted as wrong before it is looked at.

    The row is committed before it is counted, so of guesses made at once no more than the limit find that they may go
    on, on a database with one writer or with many.
    """

    def __init__(self, username: str, address: str) -> None:
        self._owner = {"username": username[:NAME_LENGTH], "address": address}
        FailedSignIn.objects.filter(at__lte=timezone.now() - WINDOW).delete()
        row = FailedSignIn.objects.create(**self._owner)
        self.seconds_blocked = _seconds_blocked(**self._owner)
        if self.seconds_blocked:
            # What is not tried does not count, or a patient guesser would lock the owner out for ever.
            row.delete()

    def succeeded(self) -> None:
        """The password was right: this guess and the slips before it are forgotten."""
        FailedSignIn.objects.filter(**self._owner).delete()


def _seconds_blocked(username: str, address: str) -> int:
    """How long this name from this address, or the address at all, has to wait; 0 when it need not."""
    from_address = FailedSignIn.objects.filter(address=address, at__gt=timezone.now() - WINDOW)
    from_name = from_address.filter(username=username)
    for failures, limit in ((from_name, FAILURES_PER_NAME), (from_address, FAILURES_PER_ADDRESS)):
        if failures.count() > limit:
            return _remaining(failures.aggregate(first=Min("at"))["first"])
    return 0


def sign_in(request: HttpRequest, username: str, password: str) -> AbstractBaseUser:
    """Open a session for the user with this password; raise Unauthorized otherwise."""
    user = auth.authenticate(request, username=username, password=password)
    if user is None:
        raise Unauthorized("wrong user name or password")
    auth.login(request, user)
    return user


def address_of(request: HttpRequest) -> str:
    """The connection's address; behind a proxy the one that the proxy saw, which it puts last in X-Forwarded-For.

    Without a proxy the header is not read: any client can write it.
    """
    seen = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() if settings.MUELLE_TLS else ""
    return seen[:ADDRESS_LENGTH] or str(request.META.get("REMOTE_ADDR") or "")


def _remaining(first: datetime | None) -> int:
    return 0 if first is None else max(1, math.ceil((first + WINDOW - timezone.now()).total_seconds()))
