"""What the page sends about accounts, and what it is told of them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from controlpanel.access import signin
from controlpanel.access.models import AccessToken
from controlpanel.rest.serializers import Number, Text

PASSWORD_LENGTH = 1024
NAME_LENGTH = 80
MAX_DAYS = 3650


class SignIn(serializers.Serializer[Any]):
    username = Text(max_length=signin.NAME_LENGTH)
    password = Text(max_length=PASSWORD_LENGTH)


class NewPassword(serializers.Serializer[Any]):
    current = Text(max_length=PASSWORD_LENGTH)
    new = Text(max_length=PASSWORD_LENGTH)


class User(serializers.Serializer[Any]):
    name = serializers.CharField()
    is_admin = serializers.BooleanField()


class Whoami(serializers.Serializer[Any]):
    """``csrf`` is the token that each changing request of a session must send as X-CSRFToken."""

    user = User(allow_null=True)
    csrf = serializers.CharField()
    version = serializers.CharField()
    node = serializers.CharField()


class NewToken(serializers.Serializer[Any]):
    name = Text(max_length=NAME_LENGTH, trim_whitespace=True)
    days = Number(min_value=1, max_value=MAX_DAYS, allow_null=True, default=None)


class Token(serializers.ModelSerializer[AccessToken]):
    class Meta:
        model = AccessToken
        fields = ("id", "name", "created", "last_used", "expires")


class Tokens(serializers.Serializer[Any]):
    tokens = Token(many=True)


class IssuedToken(serializers.Serializer[Any]):
    """``secret`` is shown here and never again."""

    token = Token()
    secret = serializers.CharField()
