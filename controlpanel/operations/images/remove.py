"""``docker rmi`` and ``docker image prune``: names first, then the image, then parents that nobody needs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction

from controlpanel.objects import events, states, times
from controlpanel.objects.models import Container, Image, ImageReference
from controlpanel.operations import filters as prune_filters
from controlpanel.operations.filters import Filters
from controlpanel.operations.images import library
from controlpanel.rpc.worker import operation
from engine.errors import Conflict, InvalidArgument, NotFound
from engine.images import references

Record = dict[str, str]


@operation("images.remove")
def remove(name: str, force: bool = False, prune: bool = True) -> list[Record]:
    """Docker's list of ``{"Untagged"}`` and ``{"Deleted"}``. Conflict when containers or children hold the image."""
    image = library.find(name)
    with transaction.atomic():
        if not library.hold(image):
            raise NotFound(f"No such image: {name}")
        records, gone = _remove(image, name, force, prune)
    for each in gone:
        library.collect(each.image_id)
    return records


@operation("images.prune")
def prune(filters: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """Remove dangling images, or with ``dangling=false`` every unused one; Docker's reply."""
    wanted = filters or {}
    only_dangling = not any(text.lower() in {"false", "0"} for text in wanted.get("dangling", []))
    before = sum(library.store().layer_sizes().values())
    records: list[Record] = []
    for image in Image.objects.filter(node_id=settings.MUELLE_NODE):
        if _is_prunable(image, only_dangling, wanted):
            records += _prune_one(image)
    reclaimed = max(0, before - sum(library.store().layer_sizes().values()))
    events.publish("image", "prune", "", {"reclaimed": reclaimed})
    return {"ImagesDeleted": records, "SpaceReclaimed": reclaimed}


def _remove(image: Image, name: str, force: bool, prune: bool) -> tuple[list[Record], list[Image]]:
    """Inside a transaction, so that no container can be created on the image meanwhile."""
    owned = list(image.references.all())
    named = [row for row in owned if row.name == _canonical(name)]
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


def _delete(image: Image, owned: list[ImageReference], prune: bool) -> tuple[list[Record], list[Image]]:
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


def _untag(image: Image, row: ImageReference) -> Record:
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


def _prune_one(image: Image) -> list[Record]:
    with transaction.atomic():
        if not library.hold(image) or _users(image).exists() or _has_children(image):
            return []
        records, gone = _delete(image, list(image.references.all()), prune=False)
    for each in gone:
        library.collect(each.image_id)
    return records


def _is_prunable(image: Image, only_dangling: bool, filters: Filters) -> bool:
    if only_dangling and image.references.exists():
        return False
    labels = (image.config.get("config") or {}).get("Labels") or {}
    limit = prune_filters.until(filters)
    if limit is not None and _created(image) >= limit:
        return False
    return prune_filters.matches_labels(labels, filters)


def _created(image: Image) -> int:
    try:
        return times.parse(image.created)
    except ValueError:
        return 0


def _canonical(name: str) -> str:
    try:
        return references.parse(name).canonical
    except InvalidArgument:
        return ""


def _repositories(rows: list[ImageReference]) -> int:
    return len({references.parse(row.name).name for row in rows})


def _users(image: Image) -> Any:
    return Container.objects.filter(node_id=image.node_id, image_id=image.image_id)


def _parent(image: Image) -> Image | None:
    if not image.parent_id:
        return None
    return Image.objects.filter(node_id=image.node_id, image_id=image.parent_id).first()


def _has_children(image: Image) -> bool:
    return Image.objects.filter(node_id=image.node_id, parent_id=image.image_id).exists()


def _is_abandoned(image: Image) -> bool:
    return not image.references.exists() and not _users(image).exists() and not _has_children(image)
