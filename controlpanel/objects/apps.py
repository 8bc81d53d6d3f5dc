"""App of the models that mirror engine objects."""

from __future__ import annotations

from django.apps import AppConfig


class ObjectsConfig(AppConfig):
    name = "controlpanel.objects"
    label = "objects"
    default_auto_field = "django.db.models.BigAutoField"
