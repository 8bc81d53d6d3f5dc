"""Volumes: rows and directories together; made by hand, on demand by a container, and taken away again."""

from __future__ import annotations

import logging
import secrets
from contextlib import ExitStack, suppress

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from controlpanel.contracts import volumes
from controlpanel.contracts.results import Pruned
from controlpanel.objects import events
from controlpanel.objects.models import Container, Volume
from controlpanel.objects.models.volumes import ANONYMOUS_LABEL, VolumeUse
from engine import rfc3339
from engine.containers.config.mounts import MountRequest
from engine.errors import Conflict, MuelleError, NotFound
from engine.undo import undone_on_failure
from engine.volumes import local

GONE = -1

logger = logging.getLogger(__name__)


@volumes.create.implement
def create(project: str, name: str | None, driver: str, options: dict[str, str], labels: dict[str, str]) -> str:
    request = MountRequest("volume", name or "", "", driver=driver, driver_options=options, labels=labels)
    return ensure(project, request, ExitStack()).name


@volumes.remove.implement
def remove(volume: int) -> None:
    row = Volume.objects.filter(pk=volume, node_id=settings.MUELLE_NODE).first()
    if row is None:
        raise NotFound("no such volume")
    events.publish_all(discard(row))


@volumes.prune.implement
def prune(project: str, volumes: list[int]) -> Pruned:
    answer = Pruned(deleted=[], reclaimed=0)
    for row in Volume.objects.filter(node_id=settings.MUELLE_NODE, pk__in=volumes, uses=None):
        size = max(0, _size(row))  # nothing that is wrong with its files keeps a volume
        try:
            events.publish_all(discard(row))
        except MuelleError as error:  # a container took it meanwhile, for one; the others go on
            logger.warning("%s", error)
            continue
        answer["deleted"].append(row.name)
        answer["reclaimed"] += size
    events.publish_all([events.event("volume", "prune", "", {"reclaimed": answer["reclaimed"]}, project)])
    return answer


@volumes.usage.implement
def usage(volumes: list[int]) -> list[int]:
    here = Volume.objects.filter(node_id=settings.MUELLE_NODE, pk__in=volumes).in_bulk()
    return [_size(here.get(key)) for key in volumes]


def _size(row: Volume | None) -> int:
    try:
        return local.usage(settings.MUELLE_LAYOUT, row.directory) if row else GONE
    except (MuelleError, OSError):
        return GONE


def find(project: str, name: str) -> Volume:
    """The project's volume of this name."""
    return Volume.objects.filter(node_id=settings.MUELLE_NODE, project_id=project).find(name, project)


def ensure(project: str, request: MountRequest, undo: ExitStack) -> Volume:
    """The project's volume that a request means, made when it is missing; ``undo`` removes it again."""
    if request.source:
        known = Volume.objects.filter(node_id=settings.MUELLE_NODE, project_id=project, name=request.source).first()
        if known:
            return _adopt(known, request)
    request = request._replace(source=request.source or secrets.token_hex(32), labels=_labels(request))
    local.check(request.source, request.driver, request.driver_options)
    try:
        row = _insert(project, request)
    except IntegrityError:  # somebody was faster: it is theirs, also to take back
        return _adopt(find(project, request.source), request)
    try:
        _make(row)
    except BaseException:
        row.delete()
        raise
    undo.callback(_take_back, row)
    events.publish_all([events.event("volume", "create", row.name, {"driver": row.driver}, project)])
    return row


def anonymous_of(container: Container) -> list[Volume]:
    """The anonymous volumes that a container holds."""
    return list(Volume.objects.filter(uses__container=container, anonymous=True))


def discard(row: Volume, holder: Container | None = None) -> list[events.Event]:
    """Delete row and directory of a volume that nobody holds, but for ``holder``; returns its event.

    Conflict, and nothing changed, when a container holds it; NotFound when somebody was faster.
    """
    with undone_on_failure("removal of a volume") as undo:
        try:
            _delete(row, holder, undo)
        except ProtectedError as error:
            holders = Container.objects.filter(volume_uses__volume=row.pk).values_list("id", flat=True)
            raise Conflict(f"remove {row.name}: volume is in use - [{', '.join(holders)}]") from error
    # Its files may take minutes, and SQLite has one writer: not inside the transaction.
    local.discard(settings.MUELLE_LAYOUT, str(row.pk))
    return [events.event("volume", "destroy", row.name, {"driver": row.driver}, row.project_id)]


def finish_removals() -> None:
    """Bring to an end, one or the other, what processes that died have left of removals."""
    for key in local.keys_set_aside(settings.MUELLE_LAYOUT):
        try:
            _settle(key)
        except MuelleError:
            logger.exception("a removed volume stays as it is")


def _delete(row: Volume, holder: Container | None, undo: ExitStack) -> None:
    """Delete the row and set the directory aside; ``undo`` asks which of the two is true, should the commit fail."""
    with transaction.atomic():
        # Held before it is asked who uses it: whoever takes it now waits, and finds it gone.
        if Volume.objects.select_for_update().filter(pk=row.pk).first() is None:
            raise NotFound(f"get {row.name}: no such volume")
        if holder is not None:
            VolumeUse.objects.filter(volume=row.pk, container=holder).delete()
        Volume.objects.filter(pk=row.pk).delete()
        undo.callback(_settle, str(row.pk))
        local.set_aside(settings.MUELLE_LAYOUT, row.directory, str(row.pk))


def _settle(key: str) -> None:
    """Give a directory that was set aside back to its row, or delete it when there is none any more."""
    with transaction.atomic():
        row = Volume.objects.select_for_update().filter(pk=key).first()  # waits for a removal under way
        if row is not None:
            local.restore(settings.MUELLE_LAYOUT, row.directory, key)
    if row is None:
        local.discard(settings.MUELLE_LAYOUT, key)


def _take_back(row: Volume) -> None:
    """Undo a creation, unless somebody else has the volume by now or has removed it."""
    with suppress(Conflict, NotFound):
        events.publish_all(discard(row))


def _adopt(row: Volume, request: MountRequest) -> Volume:
    """A volume that is there already; whoever inserted the row may not have made the directory yet."""
    if row.driver != request.driver:
        raise Conflict(f"create {row.name}: volume {row.name} exists with driver {row.driver}")
    _make(row)
    return row


def _make(row: Volume) -> None:
    """Make the directory of a volume that is held meanwhile: nobody would ever remove one without a row."""
    with transaction.atomic():
        if Volume.objects.select_for_update().filter(pk=row.pk).first() is None:
            raise Conflict(f"volume {row.name} was removed meanwhile")
        local.create(settings.MUELLE_LAYOUT, row.directory)


def _labels(request: MountRequest) -> dict[str, str]:
    """An anonymous volume carries Docker's label, which also survives in what clients store."""
    return {**({} if request.source else {ANONYMOUS_LABEL: ""}), **(request.labels or {})}


def _insert(project: str, request: MountRequest) -> Volume:
    labels = request.labels or {}
    with transaction.atomic():
        return Volume.objects.create(
            node_id=settings.MUELLE_NODE,
            project_id=project,
            name=request.source,
            driver=request.driver,
            labels=labels,
            created_at=rfc3339.now(),
            anonymous=ANONYMOUS_LABEL in labels,
        )
