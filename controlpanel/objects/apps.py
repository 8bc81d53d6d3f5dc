"""App of the models that mirror engine objects."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate


class ObjectsConfig(AppConfig):
    name = "controlpanel.objects"
    label = "objects"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        post_migrate.connect(seed, sender=self)


def seed(**_: Any) -> None:
    """This node's row, the project that owns by default, and three networks exist from the first migration on."""
    from controlpanel.objects.models import Network, Node, Project
    from controlpanel.objects.models.projects import DEFAULT

    Project.objects.get_or_create(slug=DEFAULT)
    Node.objects.get_or_create(name=settings.MUELLE_NODE)
    Network.objects.seed(settings.MUELLE_NODE, settings.MUELLE_LAYOUT.bridge)
