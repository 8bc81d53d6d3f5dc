"""Images and the names that point at them."""

from __future__ import annotations

from django.db import models

from controlpanel.objects.managers.images import ImageManager
from controlpanel.objects.models.nodes import Node


class Image(models.Model):
    """One image of one node.

    ``image_id`` is ``sha256:`` and the digest of the configuration; ``config`` is that configuration document as the
    archive held it; ``layers`` are the store's short chain ids, lowest layer first; ``size`` is the sum of the layers
    in bytes; ``parent_id`` names a local parent image or is empty; ``tagged_at`` is nanoseconds since 1970.
    """

    node = models.ForeignKey(Node, on_delete=models.CASCADE)
    image_id = models.CharField(max_length=71)
    config = models.JSONField()
    layers = models.JSONField(default=list)
    size = models.BigIntegerField(default=0)
    created = models.CharField(max_length=40)
    parent_id = models.CharField(max_length=71, default="", blank=True)
    tagged_at = models.BigIntegerField(default=0)

    objects: ImageManager = ImageManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "image_id"], name="image_once_per_node")]

    def __str__(self) -> str:
        return self.image_id

    @property
    def short_id(self) -> str:
        return self.image_id.removeprefix("sha256:")[:12]


class ImageReference(models.Model):
    """A tag or digest, canonical (``docker.io/library/busybox:latest``), pointing at one image of its node."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE)
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="references")
    name = models.CharField(max_length=512)
    is_digest = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "name"], name="reference_once_per_node")]

    def __str__(self) -> str:
        return self.name
