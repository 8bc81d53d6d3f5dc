"""``docker rmi`` and ``docker image prune``: names first, then the image, then parents that nobody needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from controlpanel.contracts import images
from controlpanel.contracts.images import PrunedImages, Removed
from controlpanel.objects import events, states
from controlpanel.objects.models import Container, Image, ImageReference
from controlpanel.operations.images import library
from engine.errors import Conflict, NotFound
from engine.images import references

if TYPE_CHECKING:
    from django.db.models import QuerySet


@images.remove.implement
def remove(image: int, name: str | None = None, force: bool = False, prune: bool = True) -> list[Removed]:
    row = library.row(image)
    with transaction.atomic():
        if not library.hold(row):
            raise NotFound(f"No such image: {name or row.image_id}")
        records, gone = _remove(row, name, force, prune)
    for each in gone:
        library.collect(each.image_id)
    return records


@images.prune.implement
def prune(project: str, images: list[int]) -> PrunedImages:
    before = sum(library.store().layer_sizes().values())
    records: list[Removed] = []
    for image in Image.objects.filter(node_id=settings.MUELLE_NODE, pk__in=images):
        records += _prune_one(image)
    reclaimed = max(0, before - sum(library.store().layer_sizes().values()))
    events.publish_all([events.event("image", "prune", "", {"reclaimed": reclaimed}, project)])
    deleted = [record["Deleted"] for record in records if "Deleted" in record]
    return {"deleted": deleted, "reclaimed": reclaimed, "records": records}


def _remove(image: Image, name: str | None, force: bool, prune: bool) -> tuple[list[Removed], list[Image]]:
    """Inside a transaction, so that no container can be created on the image meanwhile."""
    owned = list(image.references.all())
    named = [row for row in owned if row.name == name]
    if not named:
        if _repositories(owned) > 1 and not force:
            raise _conflict(image, "must be forced", "image is referenced in multiple repositories")
        _check_unused(image, force)
        return _delete(image, owned, prune)
    if len(owned) > 1:
        return [_untag(image, row) for row in named], []
    user = _users(image).first()
    if user and not force:
        raise Conflict(
            f'conflict: unable to remove repository reference "{library.familiar(named[0].name)}" (must force) - '
            f"container {user.short_id} is using its referenced image {image.short_id}"
        )
    if _has_children(image) or _users(image).filter(status__in=states.RUNNING_FOR_DOCKER).exists():
        # The last name goes, the image stays without one: what Docker does when it cannot delete.
        return [_untag(image, row) for row in named], []
    return _delete(image, owned, prune)


def _delete(image: Image, owned: list[ImageReference], prune: bool) -> tuple[list[Removed], list[Image]]:
    records = [_untag(image, row) for row in owned]
    gone: list[Image] = []
    current: Image | None = image
    while current is not None:
        parent = _parent(current) if prune else None
        current.delete()
        gone.append(current)
        records.append({"Deleted": current.image_id})
        events.publish_all([library.event(current, "delete")])
        current = parent if parent and _is_abandoned(parent) else None
    return records, gone


def _untag(image: Image, row: ImageReference) -> Removed:
    shown = library.familiar(row.name)
    row.delete()
    events.publish_all([library.event(image, "untag", shown)])
    return {"Untagged": shown}


def _check_unused(image: Image, force: bool) -> None:
    if _has_children(image):
        raise _conflict(image, "cannot be forced", "image has dependent child images")
    users = _users(image)
    running = users.filter(status__in=states.RUNNING_FOR_DOCKER).first()
    if running:
        raise _conflict(image, "cannot be forced", f"image is being used by running container {running.short_id}")
    stopped = None if force else users.first()
    if stopped:
        raise _conflict(image, "must be forced", f"image is being used by stopped container {stopped.short_id}")


def _conflict(image: Image, remedy: str, reason: str) -> Conflict:
    return Conflict(f"conflict: unable to delete {image.short_id} ({remedy}) - {reason}")


def _prune_one(image: Image) -> list[Removed]:
    with transaction.atomic():
        if not library.hold(image) or _users(image).exists() or _has_children(image):
            return []
        records, gone = _delete(image, list(image.references.all()), prune=False)
    for each in gone:
        library.collect(each.image_id)
    return records


def _repositories(rows: list[ImageReference]) -> int:
    return len({references.parse(row.name).name for row in rows})


def _users(image: Image) -> QuerySet[Container]:
    return Container.objects.filter(node_id=image.node_id, project_id=image.project_id, image_id=image.image_id)


def _siblings(image: Image) -> QuerySet[Image]:
    """The images of the same project."""
    return Image.objects.filter(node_id=image.node_id, project_id=image.project_id)


def _parent(image: Image) -> Image | None:
    if not image.parent_id:
        return None
    return _siblings(image).filter(image_id=image.parent_id).first()


def _has_children(image: Image) -> bool:
    return _siblings(image).filter(parent_id=image.image_id).exists()


def _is_abandoned(image: Image) -> bool:
    return not image.references.exists() and not _users(image).exists() and not _has_children(image)
