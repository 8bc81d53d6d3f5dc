"""Volumes by name: they have no IDs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.db import models

from controlpanel.objects.managers.prefixes import NUL
from engine.errors import NotFound

if TYPE_CHECKING:
    from controlpanel.objects.models.volumes import Volume


class VolumeManager(models.Manager["Volume"]):
    def find(self, node: str, name: str) -> Volume:
        """Raises NotFound (``get X: no such volume``)."""
        found = None if NUL in name else self.filter(node_id=node, name=name).first()
        if found is None:
            raise NotFound(f"get {name}: no such volume")
        return found

    afind = sync_to_async(find, thread_sensitive=True)
