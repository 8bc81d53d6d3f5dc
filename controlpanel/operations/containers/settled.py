"""This node's container by its ID, once a start under way has ended."""

from __future__ import annotations

import time

from django.conf import settings

from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.operations import claims
from engine.errors import NotFound, Unavailable

SETTLE_SECONDS = 20.0
LOOK_SECONDS = 0.01


def row(container_id: str) -> Container:
    """This node's container by its whole ID; NotFound with Docker's text when it has gone."""
    found = Container.objects.filter(pk=container_id, node_id=settings.MUELLE_NODE).first()
    if found is None:
        raise NotFound(f"No such container: {container_id}")
    return found


def container(container_id: str) -> Container:
    """The container once no start is under way; dockerd lets a second request wait for the lock in the same way.

    This waits for a process that is at work, never for one in a queue, so it cannot deadlock; that the claim's holder
    has died is reported as Unavailable, and the monitor repairs the row.
    """
    found = row(container_id)
    deadline = time.monotonic() + SETTLE_SECONDS
    while found.status == Status.STARTING:
        if time.monotonic() > deadline or not claims.is_alive(found.claim):
            raise Unavailable(f"the start of container {found.name} did not end: try again")
        time.sleep(LOOK_SECONDS)
        found = row(container_id)
    return found


def look_again(container: Container) -> None:
    """Read the status anew; a row that somebody has removed meanwhile is REMOVING."""
    row = Container.objects.filter(pk=container.pk).values_list("status", flat=True).first()
    container.status = row or Status.REMOVING
