"""The bond between image rows and the store's files: what is recorded, what a name points at, what may go."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from django.conf import settings
from django.db import transaction

from controlpanel.objects import events
from controlpanel.objects.models import Container, Image, ImageReference
from controlpanel.objects.models.projects import DEFAULT
from engine.errors import Conflict, NotFound
from engine.images import references
from engine.images.store import ImageStore, LoadedImage


@cache
def store() -> ImageStore:
    """This node's store; one object per process."""
    return ImageStore(settings.MUELLE_LAYOUT.images)


def row(image: int) -> Image:
    """The row with this key; NotFound when it has gone since it was chosen."""
    found = Image.objects.filter(node_id=settings.MUELLE_NODE, pk=image).first()
    if found is None:
        raise NotFound("No such image")
    return found


def familiar(canonical: str) -> str:
    """``docker.io/library/busybox:latest`` → ``busybox:latest``."""
    return references.parse(canonical).familiar


def record(project: str, loaded: LoadedImage) -> Image:
    """A project's row of an image that the store has just been given. Conflict when it has been removed meanwhile.

    The row tells `collect` that the files are needed. Whoever asked for rows before this one has the files away by the
    time that the store says whether it holds them.
    """
    image, _ = Image.objects.get_or_create(
        node_id=settings.MUELLE_NODE,
        project_id=project,
        image_id=loaded.image_id,
        defaults={
            "config": loaded.config,
            "layers": list(loaded.layers),
            "size": loaded.size,
            "created": loaded.config.get("created") or "",
        },
    )
    if not store().holds(loaded.image_id):
        image.delete()
        raise Conflict(f"image {loaded.image_id} was removed meanwhile: try again")
    return image


def hold(image: Image) -> bool:
    """Keep an image's row from changing until the transaction ends; false when it is gone. (SQLite has one writer.)"""
    return Image.objects.select_for_update().filter(pk=image.pk).first() is not None


def point(name: str, image: Image) -> Image | None:
    """Make a canonical name mean ``image`` in its project; returns the other image that it meant before.

    NotFound when the image has just gone; held by its update, it cannot go before it has the name.
    """
    owner: dict[str, Any] = {"node_id": image.node_id, "project_id": image.project_id}
    with transaction.atomic():
        if not Image.objects.filter(pk=image.pk).update(tagged_at=time.time_ns()):
            raise NotFound(f"No such image: {image.image_id}")
        former = ImageReference.objects.select_related("image").filter(**owner, name=name).first()
        ImageReference.objects.update_or_create(**owner, name=name, defaults={"image": image})
    return former.image if former and former.image_id != image.pk else None


def collect(image_id: str) -> None:
    """Delete an image's files when neither a row nor a container needs them any more."""
    if image_id and not _is_needed(image_id):  # most are: no lock for these
        store().delete(image_id, unless=lambda: _is_needed(image_id))


def adopt_strays() -> None:
    """Rows for images that a killed worker had stored but not recorded yet."""
    known = set(Image.objects.filter(node_id=settings.MUELLE_NODE).values_list("image_id", flat=True))
    used = set(Container.objects.filter(node_id=settings.MUELLE_NODE).values_list("image_id", flat=True))
    for image_id in set(store().image_ids()) - known - used:
        record(DEFAULT, store().image(image_id))


def event(image: Image, action: str, name: str | None = None) -> events.Event:
    """An image event: labels and the name go with it."""
    labels = image.config.get("config", {}).get("Labels", {})
    return events.event("image", action, image.image_id, {**labels, "name": name or image.image_id}, image.project_id)


def _is_needed(image_id: str) -> bool:
    return (
        Image.objects.filter(node_id=settings.MUELLE_NODE, image_id=image_id).exists()
        or Container.objects.filter(node_id=settings.MUELLE_NODE, image_id=image_id).exists()
    )
