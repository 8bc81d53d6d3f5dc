"""Removing all stopped containers."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from controlpanel.objects import events, times
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.operations import claims
from controlpanel.operations import filters as prune_filters
from controlpanel.operations.containers import remove, sizes
from controlpanel.rpc.worker import operation

PRUNABLE = (Status.CREATED, Status.EXITED, Status.DEAD)


@operation("containers.prune")
def prune(filters: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """Remove what does not run and fits the filters; Docker's reply."""
    wanted = filters or {}
    limit = prune_filters.until(wanted)
    deleted, reclaimed = [], 0
    for container in Container.objects.filter(node_id=settings.MUELLE_NODE, status__in=PRUNABLE):
        if limit is not None and times.parse(container.created_at) >= limit:
            continue
        if not prune_filters.matches_labels(container.config.get("Labels") or {}, wanted):
            continue
        identity, size = container.id, sizes.written(container.id)  # the row forgets its ID with its removal
        if container.move(PRUNABLE, Status.REMOVING, claim=claims.mine()):
            remove.purge(container, with_volumes=False)
            deleted.append(identity)
            reclaimed += size
    events.publish("container", "prune", "", {"reclaimed": reclaimed})
    return {"ContainersDeleted": deleted, "SpaceReclaimed": reclaimed}
