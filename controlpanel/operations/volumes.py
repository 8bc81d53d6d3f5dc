"""Volumes: rows and directories together; made by hand, on demand by a container, and taken away again."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from controlpanel.objects import events, times
from controlpanel.objects.models import Container, Volume
from controlpanel.objects.models.volumes import ANONYMOUS_LABEL
from controlpanel.operations.filters import matches_labels
from controlpanel.rpc.worker import operation
from engine.containers.config.mounts import MountRequest
from engine.errors import Conflict, MuelleError, NotFound
from engine.volumes import local
from engine.volumes.copyup import copy_up


@operation("volumes.create")
def create(
    name: str | None = None,
    driver: str = local.DRIVER,
    options: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
) -> dict[str, str]:
    """Make a volume, or find the one of that name (its options and labels stay as they are)."""
    request = MountRequest(
        "volume", name or "", "", driver=driver or local.DRIVER, driver_options=options or {}, labels=labels or {}
    )
    return {"name": ensure(request, ExitStack()).name}


@operation("volumes.remove")
def remove(name: str, force: bool = False) -> None:
    """Remove a volume that nobody uses; with ``force`` one that does not exist is fine."""
    try:
        row = find(name)
    except NotFound:
        if force:
            return
        raise
    events.publish_all(discard(row))


@operation("volumes.prune")
def prune(filters: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """Remove unused volumes: anonymous ones, or with ``all=true`` all of them."""
    wanted = filters or {}
    everything = any(value.lower() in {"1", "true"} for value in wanted.get("all", []))
    rows = Volume.objects.filter(node_id=settings.MUELLE_NODE, uses=None)
    deleted, reclaimed = [], 0
    for row in rows if everything else rows.filter(anonymous=True):
        if row.options or not matches_labels(row.labels, wanted):
            continue
        size = local.usage(settings.MUELLE_LAYOUT, row.name)
        try:
            events.publish_all(discard(row))
        except Conflict:
            continue  # a container took it meanwhile
        deleted.append(row.name)
        reclaimed += size
    events.publish("volume", "prune", "", {"reclaimed": reclaimed})
    return {"VolumesDeleted": deleted, "SpaceReclaimed": reclaimed}


@operation("volumes.usage")
def usage(names: list[str]) -> dict[str, int]:
    """Bytes on disk by name; -1 for what is gone."""
    sizes = {}
    for name in names:
        try:
            sizes[name] = local.usage(settings.MUELLE_LAYOUT, name)
        except MuelleError:
            sizes[name] = -1
    return sizes


def find(name: str) -> Volume:
    return Volume.objects.find(settings.MUELLE_NODE, name)


def path(row: Volume) -> Path:
    """Where the volume's files are on this host."""
    return settings.MUELLE_LAYOUT.volume(row.name)


def ensure(request: MountRequest, undo: ExitStack) -> Volume:
    """The volume that a request means, made when it is missing; ``undo`` removes it again."""
    if request.source:
        known = Volume.objects.filter(node_id=settings.MUELLE_NODE, name=request.source).first()
        if known:
            return _adopt(known, request)
    request = request._replace(source=request.source or secrets.token_hex(32), labels=_labels(request))
    local.check(request.source, request.driver, request.driver_options)
    try:
        row = _insert(request)
    except IntegrityError:  # somebody was faster: it is theirs, also to take back
        return _adopt(find(request.source), request)
    try:
        local.create(settings.MUELLE_LAYOUT, row.name)
    except BaseException:
        row.delete()
        raise
    undo.callback(discard, row)
    events.publish("volume", "create", row.name, {"driver": row.driver})
    return row


def fill(row: Volume, request: MountRequest, layers: list[str]) -> None:
    """Copy what the image holds at the target into a volume that is empty; ``layers`` lowest first."""
    if request.copy:
        copy_up(settings.MUELLE_LAYOUT, row.name, layers[::-1], request.target)


def anonymous_of(container: Container) -> list[Volume]:
    """The anonymous volumes that a container holds."""
    return list(Volume.objects.filter(uses__container=container, anonymous=True))


def discard(row: Volume) -> list[events.Event]:
    """Delete row and directory of a volume that no container holds; returns its event. Conflict when one does."""
    try:
        with transaction.atomic():
            row_id, name = row.pk, row.name
            # Held before it is asked who uses it: whoever takes it now waits, and finds it gone.
            Volume.objects.select_for_update().filter(pk=row_id).first()
            row.delete()
            local.remove(settings.MUELLE_LAYOUT, name)
    except ProtectedError as error:
        holders = Container.objects.filter(volume_uses__volume_id=row_id).values_list("id", flat=True)
        raise Conflict(f"remove {name}: volume is in use - [{', '.join(holders)}]") from error
    return [events.event("volume", "destroy", name, {"driver": row.driver})]


def _adopt(row: Volume, request: MountRequest) -> Volume:
    """A volume that is there already; whoever inserted the row may not have made the directory yet."""
    if row.driver != request.driver:
        raise Conflict(f"create {row.name}: volume {row.name} exists with driver {row.driver}")
    local.create(settings.MUELLE_LAYOUT, row.name)
    return row


def _labels(request: MountRequest) -> dict[str, str]:
    """An anonymous volume carries Docker's label, which also survives in what clients store."""
    return {**({} if request.source else {ANONYMOUS_LABEL: ""}), **(request.labels or {})}


def _insert(request: MountRequest) -> Volume:
    labels = request.labels or {}
    with transaction.atomic():
        return Volume.objects.create(
            node_id=settings.MUELLE_NODE,
            name=request.source,
            driver=request.driver,
            labels=labels,
            created_at=times.now(),
            anonymous=ANONYMOUS_LABEL in labels,
        )
