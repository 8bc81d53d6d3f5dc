"""Answers that are due when a container has ended."""

from __future__ import annotations

from django.db import models

from controlpanel.objects.models.containers import Container


class Waiter(models.Model):
    """Somebody's call waits for the end of ``container``; no worker waits with it.

    A task that has asked a shim to stop writes this row and leaves. The monitor handles the exit, does what ``purpose``
    asks for, and answers ``call_id`` (the Celery task's id; empty when nobody listens). ``arguments`` belong to the
    purpose. Rows outlive the monitor, so a half-done ``rm -f`` or ``restart`` is finished after its death.
    """

    class Purpose(models.TextChoices):
        STOP = "stop"
        KILL = "kill"
        RESTART = "restart"
        REMOVE = "remove"

    container = models.ForeignKey(Container, on_delete=models.CASCADE, related_name="waiters")
    purpose = models.CharField(max_length=8, choices=Purpose.choices)
    call_id = models.CharField(max_length=64, default="", blank=True)
    arguments = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.purpose} of {self.container_id}"
