"""Images and the names that point at them."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.db import models

from controlpanel.objects.identifiers import is_id_prefix, upper_bound
from controlpanel.objects.models.nodes import Node
from engine.errors import InvalidArgument, NotFound
from engine.images import references

SHA256 = "sha256:"


class ImageManager(models.Manager["Image"]):
    def find(self, node: str, reference: str) -> Image:
        """The image that a reference (``busybox``, ``host/a/b:tag``, ``name@sha256:…``) or an ID, whole or cut, means.

        Raises NotFound (``No such image: busybox:latest``) and InvalidArgument (malformed, or an ambiguous prefix).
        """
        found = self._by_reference(node, reference) or self._by_id(node, reference)
        if found is None:
            raise NotFound(f"No such image: {_display(reference)}")
        return found

    afind = sync_to_async(find, thread_sensitive=True)

    def _by_reference(self, node: str, reference: str) -> Image | None:
        if reference.startswith(SHA256):
            return None
        try:
            parsed = references.parse(reference)
        except InvalidArgument:
            # A bare ID of 64 digits is no valid name; whatever is neither is the caller's mistake.
            if is_id_prefix(reference):
                return None
            raise
        return self.filter(references__name=parsed.canonical, references__node_id=node).first()

    def _by_id(self, node: str, reference: str) -> Image | None:
        digits = reference.removeprefix(SHA256)
        if not is_id_prefix(digits):
            return None
        bounds = {"image_id__gte": SHA256 + digits, "image_id__lt": SHA256 + upper_bound(digits)}
        found = list(self.filter(node_id=node, **bounds)[:2])
        if len(found) > 1:
            raise InvalidArgument(f"multiple IDs found with provided prefix: {reference}")
        return found[0] if found else None


def _display(reference: str) -> str:
    """Docker names the tag that it looked for: ``nosuch`` is shown as ``nosuch:latest``."""
    if reference.startswith(SHA256):
        return reference
    try:
        return references.parse(reference).familiar
    except InvalidArgument:
        return reference


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
