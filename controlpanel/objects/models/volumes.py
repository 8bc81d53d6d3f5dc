"""Volumes and which containers use them."""

from __future__ import annotations

from django.db import models

from controlpanel.objects.identifiers import ENOUGH, NUL, at_home, nearest
from controlpanel.objects.models.containers import Container
from controlpanel.objects.models.nodes import Node
from controlpanel.objects.models.projects import DEFAULT, Project
from engine.errors import InvalidArgument, NotFound

ANONYMOUS_LABEL = "com.docker.volume.anonymous"


class VolumeQuerySet(models.QuerySet["Volume"]):
    def find(self, name: str, home: str = DEFAULT) -> Volume:
        """Of these the volume of this name: volumes have no IDs. Raises NotFound (``get X: no such volume``)."""
        found = [] if NUL in name else at_home(self.filter(name=name).order_by(nearest(name, home))[:ENOUGH], home)
        if not found:
            raise NotFound(f"get {name}: no such volume")
        if len(found) > 1:
            raise InvalidArgument(f"get {name}: volumes of several projects have this name")
        return found[0]


class Volume(models.Model):
    """A volume of one node. ``anonymous`` ones go with ``rm -v``, ``--rm`` and a plain ``volume prune``."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE)
    project = models.ForeignKey(Project, on_delete=models.PROTECT)
    name = models.CharField(max_length=255)
    driver = models.CharField(max_length=64, default="local")
    options = models.JSONField(default=dict)
    labels = models.JSONField(default=dict)
    created_at = models.CharField(max_length=40)
    anonymous = models.BooleanField(default=False)

    objects = VolumeQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "project", "name"], name="volume_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def directory(self) -> str:
        """Its directory's name below the volumes: Docker's in the default project; no volume's name holds a tilde."""
        return self.name if self.project_id == DEFAULT else f"{self.project_id}~{self.name}"


class VolumeUse(models.Model):
    """A container holds a volume from its creation to its removal; while one does, the volume cannot go (PROTECT)."""

    volume = models.ForeignKey(Volume, on_delete=models.PROTECT, related_name="uses")
    container = models.ForeignKey(Container, on_delete=models.CASCADE, related_name="volume_uses")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["volume", "container"], name="volume_use_once")]

    def __str__(self) -> str:
        return f"{self.volume_id} by {self.container_id}"
