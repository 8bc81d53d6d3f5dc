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


def seconds_blocked(username: str, address: str) -> int:
    """How long this name from this address, or the address at all, has to wait; 0 when it need not."""
    from_address = FailedSignIn.objects.filter(address=address, at__gt=timezone.now() - WINDOW)
    from_name = from_address.filter(username=username[:NAME_LENGTH])
    for failures, limit in ((from_name, FAILURES_PER_NAME), (from_address, FAILURES_PER_ADDRESS)):
        if failures.count() >= limit:
            return _remaining(failures.aggregate(first=Min("at"))["first"])
    return 0


def sign_in(request: HttpRequest, username: str, password: str) -> AbstractBaseUser:
    """Open a session for the user with this password; raise Unauthorized and count the failure otherwise."""
    user = auth.authenticate(request, username=username, password=password)
    if user is None:
        note_failure(username, address_of(request))
        raise Unauthorized("wrong user name or password")
    FailedSignIn.objects.filter(username=username[:NAME_LENGTH], address=address_of(request)).delete()
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


def note_failure(username: str, address: str) -> None:
    FailedSignIn.objects.filter(at__lte=timezone.now() - WINDOW).delete()
    FailedSignIn.objects.create(username=username[:NAME_LENGTH], address=address)
