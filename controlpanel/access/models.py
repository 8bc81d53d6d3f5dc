"""Tokens for clients without a session, and the memory of failed sign-ins."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

PREFIX = "muelle_"
# 32 random bytes cannot be guessed, so a plain digest protects them; a slow password hash would cost each request.
SECRET_BYTES = 32
USE_RESOLUTION = timedelta(minutes=1)


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class AccessTokenManager(models.Manager["AccessToken"]):
    def issue(self, user: Any, name: str, expires: datetime | None = None) -> tuple[AccessToken, str]:
        """Make a token. The secret is returned here and can never be read again."""
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        return self.create(user=user, name=name, digest=digest(secret), expires=expires), secret

    def redeem(self, secret: str) -> AccessToken | None:
        """The valid token with this secret and an active user, or None. Notes the use, at most once a minute."""
        now = timezone.now()
        token = self.select_related("user").filter(digest=digest(secret), user__is_active=True).first()
        if token is None or (token.expires is not None and token.expires <= now):
            return None
        if token.last_used is None or now - token.last_used > USE_RESOLUTION:
            self.filter(pk=token.pk).update(last_used=now)
        return token


class AccessToken(models.Model):
    """A bearer token of one user with that user's rights; only its SHA-256 is stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(default=timezone.now)
    last_used = models.DateTimeField(null=True)
    expires = models.DateTimeField(null=True)

    objects = AccessTokenManager()

    class Meta:
        ordering = ["-created", "-pk"]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class FailedSignIn(models.Model):
    """One wrong password. Rows live for the length of the window that ``signin`` counts them in."""

    username = models.CharField(max_length=150)
    address = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        indexes = [models.Index(fields=["address", "username"], name="access_failed_origin")]

    def __str__(self) -> str:
        return f"{self.username} from {self.address}"
