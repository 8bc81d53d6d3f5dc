"""Processes started in a running container."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.db import models

from controlpanel.objects.identifiers import is_id_prefix
from controlpanel.objects.models.containers import Container
from engine.errors import NotFound


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


class Exec(models.Model):
    """``config`` is Docker's exec configuration. ``exit_code``, ``running`` and ``pid`` are as last known.

    While its container's shim lives, the shim's ``exec_state`` is the better answer. ``started`` forbids a second
    start. ``created`` is nanoseconds since 1970.
    """

    id = models.CharField(max_length=64, primary_key=True)
    container = models.ForeignKey(Container, on_delete=models.CASCADE, related_name="execs")
    config = models.JSONField()
    started = models.BooleanField(default=False)
    running = models.BooleanField(default=False)
    exit_code = models.IntegerField(null=True)
    pid = models.PositiveIntegerField(default=0)
    created = models.BigIntegerField()

    objects: ExecManager = ExecManager()

    class Meta:
        # An inspect lists what runs in a container; what has run there is kept for a while and may be thousands.
        indexes = [models.Index(fields=["container"], name="exec_running", condition=models.Q(running=True))]

    def __str__(self) -> str:
        return self.id[:12]
