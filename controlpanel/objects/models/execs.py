"""Processes started in a running container."""

from __future__ import annotations

from django.db import models

from controlpanel.objects.fields import ExecConfigField
from controlpanel.objects.identifiers import is_id_prefix
from controlpanel.objects.models.containers import Container
from engine.errors import NotFound


class ExecQuerySet(models.QuerySet["Exec"]):
    def find(self, reference: str) -> Exec:
        """Of these the session with this ID. Docker takes whole IDs only. One query.

        Raises NotFound (``No such exec instance: X``).
        """
        found = self.filter(pk=reference).first() if is_id_prefix(reference) else None
        if found is None:
            raise NotFound(f"No such exec instance: {reference}")
        return found


class Exec(models.Model):
    """``config`` is Docker's exec configuration. ``exit_code``, ``running`` and ``pid`` are as last known.

    While its container's shim lives, the shim's ``exec_state`` is the better answer. ``started`` forbids a second
    start. ``created`` is nanoseconds since 1970.
    """

    id = models.CharField(max_length=64, primary_key=True)
    container = models.ForeignKey(Container, on_delete=models.CASCADE, related_name="execs")
    config = ExecConfigField()
    started = models.BooleanField(default=False)
    running = models.BooleanField(default=False)
    exit_code = models.IntegerField(null=True)
    pid = models.PositiveIntegerField(default=0)
    created = models.BigIntegerField()

    objects = ExecQuerySet.as_manager()

    class Meta:
        # An inspect lists what runs in a container; what has run there is kept for a while and may be thousands.
        indexes = [models.Index(fields=["container"], name="exec_running", condition=models.Q(running=True))]

    def __str__(self) -> str:
        return self.id[:12]
