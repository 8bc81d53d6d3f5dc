"""``docker rmi`` and ``docker image prune``: names first, then the image, then parents that nobody needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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


class Outcome(NamedTuple):
    """What a removal has done inside its transaction. It is true, and may be told, once that is committed."""

    records: list[Removed]
    gone: list[Image]
    happened: list[events.Event]

    def untag(self, image: Image, row: ImageReference) -> None:
        shown = library.familiar(row.name)
        row.delete()
        self.records.append({"Untagged": shown})
        self.happened.append(library.event(image, "untag", shown))

    def delete(self, image: Image) -> None:
        image.delete()
        self.gone.append(image)
        self.records.append({"Deleted": image.image_id})
        self.happened.append(library.event(image, "delete"))


@images.remove.implement
def remove(image: int, name: str | None = None, force: bool = False, prune: bool = True) -> list[Removed]:
    row = library.row(image)
    outcome = Outcome([], [], [])
    with transaction.atomic():
        if not library.hold(row):
            raise NotFound(f"No such image: {name or row.image_id}")
        _remove(row, name, force, prune, outcome)
    return _conclude(outcome)


@images.prune.implement
def prune(project: str, images: list[int], dangling: bool) -> PrunedImages:
    before = sum(library.store().layer_sizes().values())
    records: list[Removed] = []
    for image in Image.objects.filter(node_id=settings.MUELLE_NODE, pk__in=images):
        records += _prune_one(image, dangling)
    reclaimed = max(0, before - sum(library.store().layer_sizes().values()))
    events.publish_all([events.event("image", "prune", "", {"reclaimed": reclaimed}, project)])
    deleted = [record["Deleted"] for record in records if "Deleted" in record]
    return {"deleted": deleted, "reclaimed": reclaimed, "records": records}


def _conclude(outcome: Outcome) -> list[Removed]:
    """Tell what has happened, in one go, and delete the files that nobody needs any more."""
    events.publish_all(outcome.happened)
    for each in outcome.gone:
        library.collect(each.image_id)
    return outcome.records


def _remove(image: Image, name: str | None, force: bool, prune: bool, outcome: Outcome) -> None:
    """Inside a transaction, so that no container can be created on the image meanwhile."""
    owned = list(image.references.all())
    named = [row for row in owned if row.name == name]
    if not named:
        if _repositories(owned) > 1 and not force:
            raise _conflict(image, "must be forced", "image is referenced in multiple repositories")
        _check_unused(image, force)
        return _delete(image, owned, prune, outcome)
    if len(owned) == 1:
        user = _users(image).first()
        if user and not force:
            raise Conflict(
                f'conflict: unable to remove repository reference "{library.familiar(named[0].name)}" (must force) - '
                f"container {user.short_id} is using its referenced image {image.short_id}"
            )
        if not (_has_children(image) or _users(image).filter(status__in=states.RUNNING_FOR_DOCKER).exists()):
            return _delete(image, owned, prune, outcome)
    # The name goes, the image stays, be it without one: what Docker does when it cannot delete.
    for row in named:
        outcome.untag(image, row)
    return None


def _delete(image: Image, owned: list[ImageReference], prune: bool, outcome: Outcome) -> None:
    for row in owned:
        outcome.untag(image, row)
    current: Image | None = image
    while current is not None:
        parent = _parent(current) if prune else None
        outcome.delete(current)
        current = parent if parent and _is_abandoned(parent) else None


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


def _prune_one(image: Image, dangling: bool) -> list[Removed]:
    """Asked again while the row is held: somebody may have tagged or used it since it was chosen."""
    outcome = Outcome([], [], [])
    with transaction.atomic():
        if not library.hold(image) or _users(image).exists() or _has_children(image):
            return []
        owned = list(image.references.all())
        if dangling and owned:
            return []
        _delete(image, owned, False, outcome)
    return _conclude(outcome)


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
