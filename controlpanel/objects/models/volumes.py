"""Volumes and which containers use them."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.db import models

from controlpanel.objects.identifiers import NUL
from controlpanel.objects.models.containers import Container
from controlpanel.objects.models.nodes import Node
from engine.errors import NotFound


class VolumeManager(models.Manager["Volume"]):
    def find(self, node: str, name: str) -> Volume:
        """Raises NotFound (``get X: no such volume``)."""
        found = None if NUL in name else self.filter(node_id=node, name=name).first()
        if found is None:
            raise NotFound(f"get {name}: no such volume")
        return found

    afind = sync_to_async(find, thread_sensitive=True)


ANONYMOUS_LABEL = "com.docker.volume.anonymous"


class Volume(models.Model):
    """A volume of one node. ``anonymous`` ones go with ``rm -v``, ``--rm`` and a plain ``volume prune``."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE)
    name = models.CharField(max_length=255)
    driver = models.CharField(max_length=64, default="local")
    options = models.JSONField(default=dict)
    labels = models.JSONField(default=dict)
    created_at = models.CharField(max_length=40)
    anonymous = models.BooleanField(default=False)

    objects: VolumeManager = VolumeManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "name"], name="volume_name_once_per_node")]

    def __str__(self) -> str:
        return self.name


class VolumeUse(models.Model):
    """A container holds a volume from its creation to its removal; while one does, the volume cannot go (PROTECT)."""

    volume = models.ForeignKey(Volume, on_delete=models.PROTECT, related_name="uses")
    container = models.ForeignKey(Container, on_delete=models.CASCADE, related_name="volume_uses")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["volume", "container"], name="volume_use_once")]

    def __str__(self) -> str:
        return f"{self.volume_id} by {self.container_id}"
