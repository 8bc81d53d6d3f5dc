"""Images and the names that point at them."""

from __future__ import annotations

from django.db import models
from django.db.models import Case, When

from controlpanel.objects.identifiers import ENOUGH, at_home, is_id_prefix, upper_bound
from controlpanel.objects.models.nodes import Node
from controlpanel.objects.models.projects import DEFAULT, Project
from engine.errors import InvalidArgument, NotFound
from engine.images import references

SHA256 = "sha256:"


class ImageQuerySet(models.QuerySet["Image"]):
    def find(self, reference: str, home: str = DEFAULT) -> Image:
        """Of these the image that a reference (``busybox``, ``host/a/b:tag``, ``name@sha256:…``) or a cut ID means.

        Raises NotFound (``No such image: busybox:latest``) and InvalidArgument (malformed, or an ambiguous prefix).
        """
        found = self._by_reference(reference, home) or self._by_id(reference, home)
        if found is None:
            raise NotFound(f"No such image: {_display(reference)}")
        return found

    def _by_reference(self, reference: str, home: str) -> Image | None:
        if reference.startswith(SHA256):
            return None
        try:
            parsed = references.parse(reference)
        except InvalidArgument:
            # A bare ID of 64 digits is no valid name; whatever is neither is the caller's mistake.
            if is_id_prefix(reference):
                return None
            raise
        return self._one(self.filter(references__name=parsed.canonical), reference, home)

    def _by_id(self, reference: str, home: str) -> Image | None:
        digits = reference.removeprefix(SHA256)
        if not is_id_prefix(digits):
            return None
        bounds = {"image_id__gte": SHA256 + digits, "image_id__lt": SHA256 + upper_bound(digits)}
        return self._one(self.filter(**bounds), reference, home)

    def _one(self, rows: models.QuerySet[Image], reference: str, home: str) -> Image | None:
        """An image is there once for each project that has it; the caller's own is meant."""
        own = at_home(rows.order_by(Case(When(project_id=home, then=0), default=1))[:ENOUGH], home)
        if len({row.image_id for row in own}) > 1:
            raise InvalidArgument(f"multiple IDs found with provided prefix: {reference}")
        return own[0] if own else None


def _display(reference: str) -> str:
    """Docker names the tag that it looked for: ``nosuch`` is shown as ``nosuch:latest``."""
    if reference.startswith(SHA256):
        return reference
    try:
        return references.parse(reference).familiar
    except InvalidArgument:
        return reference


class Image(models.Model):
    """One image of one node, as one project has it; the files in the store are shared by all.

    ``image_id`` is ``sha256:`` and the digest of the configuration; ``config`` is that configuration document as the
    archive held it; ``layers`` are the store's short chain ids, lowest layer first; ``size`` is the sum of the layers
    in bytes; ``parent_id`` names a local parent image or is empty; ``tagged_at`` is nanoseconds since 1970.
    """

    node = models.ForeignKey(Node, on_delete=models.CASCADE)
    project = models.ForeignKey(Project, on_delete=models.PROTECT)
    image_id = models.CharField(max_length=71)
    config = models.JSONField()
    layers = models.JSONField(default=list)
    size = models.BigIntegerField(default=0)
    created = models.CharField(max_length=40)
    parent_id = models.CharField(max_length=71, default="", blank=True)
    tagged_at = models.BigIntegerField(default=0)

    objects = ImageQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "project", "image_id"], name="image_once")]

    def __str__(self) -> str:
        return self.image_id

    def owned_name(self, text: str) -> str | None:
        """The canonical name that ``text`` is, if it is one of this image's; None for an ID."""
        names = set(self.references.values_list("name", flat=True))
        try:
            name = references.parse(text).canonical
        except InvalidArgument:
            return None
        return name if name in names else None

    @property
    def short_id(self) -> str:
        return self.image_id.removeprefix("sha256:")[:12]


class ImageReference(models.Model):
    """A tag or digest, canonical (``docker.io/library/busybox:latest``), pointing at one image of its node."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE)
    project = models.ForeignKey(Project, on_delete=models.PROTECT)
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="references")
    name = models.CharField(max_length=512)
    is_digest = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "project", "name"], name="reference_once")]

    def __str__(self) -> str:
        return self.name
