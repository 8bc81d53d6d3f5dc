"""Removing stopped containers."""

from __future__ import annotations

import logging

from django.conf import settings

from controlpanel.contracts import containers
from controlpanel.contracts.results import Pruned
from controlpanel.objects import events, states
from controlpanel.objects.models import Container
from controlpanel.operations.containers import remove
from engine.containers import container as engine_container
from engine.errors import MuelleError

logger = logging.getLogger(__name__)


@containers.prune.implement
def prune(project: str, container_ids: list[str]) -> Pruned:
    """One that was started since it was chosen stays: the move decides."""
    answer = Pruned(deleted=[], reclaimed=0)
    for container in Container.objects.filter(node_id=settings.MUELLE_NODE, pk__in=container_ids):
        if not remove.take(container, tuple(states.REMOVABLE), volumes=False):
            continue
        size = _written(container)
        try:
            remove.purge(container)
        except MuelleError as error:
            logger.warning("%s", error)  # it is dead now, and can be removed by hand; the others go on
            continue
        answer["deleted"].append(container.id)
        answer["reclaimed"] += size
    events.publish_all([events.event("container", "prune", "", {"reclaimed": answer["reclaimed"]}, project)])
    return answer


def _written(container: Container) -> int:
    """Bytes; nothing that is wrong with a container's files may stop the removal that has begun."""
    try:
        return engine_container.written(settings.MUELLE_LAYOUT, container.id)
    except OSError:
        return 0
