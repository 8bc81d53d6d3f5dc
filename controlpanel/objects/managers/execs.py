"""Exec sessions by full ID or unique prefix, with their container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.db import models

from controlpanel.objects.managers.prefixes import is_id_prefix
from engine.errors import NotFound

if TYPE_CHECKING:
    from controlpanel.objects.models.execs import Exec


class ExecManager(models.Manager["Exec"]):
    def find(self, node: str, reference: str, *related: str) -> Exec:
        """The session, with its container's columns if ``related`` names it. Docker takes whole IDs only. One query.

        Raises NotFound (``No such exec instance: X``).
        """
        if is_id_prefix(reference):
            rows = self.select_related(*related) if related else self
            for found in rows.filter(pk=reference, container__node_id=node):
                return found
        raise NotFound(f"No such exec instance: {reference}")

    afind = sync_to_async(find, thread_sensitive=True)
