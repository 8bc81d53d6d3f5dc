"""Containers: what was asked for, where they are in life, and how they last ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models import F

from controlpanel.objects import states
from controlpanel.objects.fields import ConfigField, HostConfigField
from controlpanel.objects.identifiers import NUL, is_whole_id, meant
from controlpanel.objects.models.nodes import Node
from controlpanel.objects.models.projects import DEFAULT, Project
from controlpanel.objects.states import Status
from engine import rfc3339
from engine.errors import InvalidArgument, NotFound


class ContainerQuerySet(models.QuerySet["Container"]):
    def find(self, reference: str, home: str = DEFAULT) -> Container:
        """Of these the container that ``reference`` (full ID, name with or without ``/``, unique ID prefix) means.

        One query. Raises NotFound, or InvalidArgument when it fits several.
        """
        if is_whole_id(reference) and (exact := list(self.filter(pk=reference))):
            return exact[0]
        name = reference.removeprefix("/")
        if not name or NUL in name:
            raise NotFound(f"No such container: {reference}")
        found = meant(self, reference, name, home)
        if not found:
            raise NotFound(f"No such container: {reference}")
        if len(found) > 1:
            raise InvalidArgument(f"multiple IDs found with provided prefix: {reference}")
        return found[0]

    def move(self, container: Container, sources: tuple[Status, ...], target: Status, fields: dict[str, Any]) -> bool:
        states.check(sources, target)
        if target in states.TRANSIENT:
            fields = {"previous_status": F("status"), **fields}
        else:
            fields = {"previous_status": target, "claim": "", **fields}
        rows = self.filter(pk=container.pk, status__in=sources)
        if target == Status.STARTING:  # who removes by force has the last word, also over a start that looked before
            rows = rows.exclude(waiters__purpose="remove")
        won = rows.update(status=target, **fields) == 1
        if won:
            _show(container, target, fields)
        return won


def _show(container: Container, target: Status, fields: dict[str, Any]) -> None:
    if "previous_status" in fields and isinstance(fields["previous_status"], F):
        container.previous_status = container.status
    container.status = target
    for name, value in fields.items():
        if not isinstance(value, models.Expression | F):
            setattr(container, name, value)


class Container(models.Model):
    """One container of one node, owned by a project.

    ``config`` and ``host_config`` are Docker's objects with every default filled in; ``networking`` is the request's
    EndpointsConfig by network name; ``mounts`` are JSON of ``engine.containers.config.mounts.Mount``;
    ``layers`` are the image's short chain ids, lowest first, kept here because a forced image removal leaves them in
    use. Times are RFC3339Nano text. ``previous_status`` is what a failed start goes back to, and Docker shows while
    ``starting``; ``claim`` names the process that works on a transient state (see ``controlpanel.objects.claims``).
    ``removes_volumes`` says that a removal under way takes the anonymous volumes along, whoever finishes it.
    ``manually_stopped`` keeps an ``unless-stopped`` container down after a reboot; ``restart_cancelled`` makes the next
    exit final; ``restart_at`` (ns since 1970) and ``restart_delay`` (ns) belong to the restart policy.
    """

    id = models.CharField(max_length=64, primary_key=True)
    node = models.ForeignKey(Node, on_delete=models.PROTECT)
    project = models.ForeignKey(Project, on_delete=models.PROTECT)
    name = models.CharField(max_length=255)
    image_id = models.CharField(max_length=71, default="", blank=True, db_index=True)
    image_name = models.CharField(max_length=512, default="", blank=True)
    layers = models.JSONField(default=list)
    config = ConfigField()
    host_config = HostConfigField()
    networking = models.JSONField(default=dict)
    mounts = models.JSONField(default=list)

    status = models.CharField(max_length=12, choices=Status.choices, default=Status.CREATED)
    previous_status = models.CharField(max_length=12, choices=Status.choices, default=Status.CREATED)
    claim = models.CharField(max_length=80, default="", blank=True)
    pid = models.PositiveIntegerField(default=0)
    exit_code = models.IntegerField(default=0)
    error = models.TextField(default="", blank=True)
    oom_killed = models.BooleanField(default=False)
    created_at = models.CharField(max_length=40)
    started_at = models.CharField(max_length=40, default=rfc3339.ZERO)
    finished_at = models.CharField(max_length=40, default=rfc3339.ZERO)
    restart_count = models.PositiveIntegerField(default=0)
    removes_volumes = models.BooleanField(default=False)
    manually_stopped = models.BooleanField(default=False)
    restart_cancelled = models.BooleanField(default=False)
    has_been_started = models.BooleanField(default=False)
    restart_at = models.BigIntegerField(default=0)
    restart_delay = models.BigIntegerField(default=0)

    objects = ContainerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "project", "name"], name="container_name_once")]
        indexes = [models.Index(fields=["node", "status"])]

    def __str__(self) -> str:
        return f"{self.name} ({self.short_id})"

    @property
    def short_id(self) -> str:
        return self.id[:12]

    @property
    def docker_status(self) -> str:
        """Docker's State.Status."""
        return states.shown(self.status, self.previous_status)

    @property
    def is_alive(self) -> bool:
        """A process of the container exists, as far as the database knows."""
        return self.status in states.ALIVE

    @property
    def is_running(self) -> bool:
        """Docker's State.Running: true while paused or restarting too."""
        return self.docker_status in states.RUNNING_FOR_DOCKER

    @property
    def restart_policy(self) -> str:
        return self.host_config["RestartPolicy"]["Name"]

    @property
    def auto_remove(self) -> bool:
        return self.host_config["AutoRemove"]

    def move(self, sources: Iterable[Status], target: Status, **fields: Any) -> bool:
        """Compare and set: if the row still rests in one of ``sources``, put it into ``target`` with ``fields``.

        One UPDATE. True when this caller won; then this object shows the new values, except those given as expressions.
        """
        return Container.objects.move(self, tuple(sources), target, fields)
