"""Those who wait for the end of a container: answered, and their purpose carried out."""

from __future__ import annotations

import logging
import signal

from django.conf import settings

from controlpanel.objects import events
from controlpanel.objects.models import Container, Waiter
from controlpanel.objects.states import Status
from controlpanel.operations import claims
from controlpanel.operations.containers import remove, start, stop
from controlpanel.rpc import outcomes
from engine.containers import runtime
from engine.errors import Conflict, MuelleError, NotFound, Unavailable

Purpose = Waiter.Purpose
CHANGED = {"changed": True}

logger = logging.getLogger(__name__)


def deliver_stops(container: Container) -> None:
    """Pass on a stop that found no shim, because the container was between two runs when it was asked."""
    for waiter in container.waiters.filter(arguments__undelivered=True):
        number = waiter.arguments.get("signal", signal.SIGKILL)
        try:
            runtime.stop(settings.MUELLE_LAYOUT, container.id, number, waiter.arguments.get("timeout"))
        except Unavailable:
            return  # its shim is going or gone: the end is about to be found
        Waiter.objects.filter(pk=waiter.pk).update(arguments={**waiter.arguments, "undelivered": False})


def serve(container: Container) -> None:
    """Answer everyone, now that the container is down. Who removes by force is served before who restarts."""
    waiting = list(container.waiters.order_by("pk"))
    if not waiting:
        return
    for purpose, carry_out in (
        (Purpose.KILL, None),
        (Purpose.STOP, _note_stop),
        (Purpose.REMOVE, _remove),
        (Purpose.RESTART, _restart),
    ):
        group = [waiter for waiter in waiting if waiter.purpose == purpose]
        if group:
            _finish(container, group, carry_out(container, group) if carry_out else outcomes.of_value(CHANGED))


def _finish(container: Container, group: list[Waiter], answer: outcomes.Answer) -> None:
    """The work is done: forget the rows, then tell the callers."""
    Waiter.objects.filter(pk__in=[waiter.pk for waiter in group]).delete()
    for waiter in group:
        outcomes.deliver(waiter.call_id, answer)


def _note_stop(container: Container, group: list[Waiter]) -> outcomes.Answer:
    events.publish_all([events.of_container(container, "stop")])
    return outcomes.of_value(CHANGED)


def _remove(container: Container, group: list[Waiter]) -> outcomes.Answer:
    with_volumes = any(waiter.arguments.get("volumes") for waiter in group)
    try:
        if container.move((Status.EXITED,), Status.REMOVING, claim=claims.mine()):
            remove.purge(container, with_volumes=with_volumes)
    except MuelleError as error:
        return outcomes.of_error(error)
    return outcomes.of_value(CHANGED)


def _restart(container: Container, group: list[Waiter]) -> outcomes.Answer:
    if container.pk is None:
        return outcomes.of_error(NotFound(f"No such container: {group[0].container_id}"))
    events.publish_all([events.of_container(container, "stop")])
    try:
        if not container.move((Status.EXITED,), Status.STARTING, claim=claims.mine(), **start.BY_HAND):
            raise Conflict(f"container {container.id} was removed or started by somebody else meanwhile")
        start.launch(container)
    except MuelleError as error:
        return outcomes.of_error(error)
    except Exception as error:
        logger.exception("restart of %s", container)
        return outcomes.of_error(error)
    events.publish_all([events.of_container(container, "restart")])
    return outcomes.of_value(CHANGED)


def call_off(container: Container) -> bool:
    """Somebody asked for the end of a container that waits for its next automatic start: it has ended."""
    return container.waiters.exists() and stop.call_off_restart(container)
