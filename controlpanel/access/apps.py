"""App of authentication and authorisation."""

from __future__ import annotations

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "controlpanel.access"
    label = "access"
