"""Volumes and which containers use them."""

from __future__ import annotations

from django.db import models

from controlpanel.objects.managers.volumes import VolumeManager
from controlpanel.objects.models.containers import Container
from controlpanel.objects.models.nodes import Node

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
