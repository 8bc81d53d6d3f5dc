"""What the container operations share: this node's container by reference, and waiting for a start under way."""

from __future__ import annotations

import time

from django.conf import settings

from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.operations import claims
from engine.errors import Unavailable

SETTLE_SECONDS = 20.0
LOOK_SECONDS = 0.01


def find(reference: str) -> Container:
    """This node's container; NotFound and InvalidArgument with Docker's texts."""
    return Container.objects.find(settings.MUELLE_NODE, reference)


def find_settled(reference: str) -> Container:
    """The container once no start is under way; dockerd lets a second request wait for the lock in the same way.

    This waits for a process that is at work, never for one in a queue, so it cannot deadlock; a claim that has died is
    reported as Unavailable, and the monitor repairs its row.
    """
    container = find(reference)
    deadline = time.monotonic() + SETTLE_SECONDS
    while container.status == Status.STARTING:
        if time.monotonic() > deadline or not claims.is_alive(container.claim):
            raise Unavailable(f"the start of container {container.name} did not end: try again")
        time.sleep(LOOK_SECONDS)
        container = find(container.id)
    return container


def look_again(container: Container) -> None:
    """Read the status anew; a row that somebody has removed meanwhile is REMOVING."""
    row = Container.objects.filter(pk=container.pk).values_list("status", flat=True).first()
    container.status = row or Status.REMOVING
