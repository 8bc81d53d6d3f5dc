"""Those who wait for the end of a container: answered, and their purpose carried out."""

from __future__ import annotations

import contextlib
import logging
import signal

from django.conf import settings
from django.db.models import Q

from controlpanel.objects import events, states
from controlpanel.objects.models import Container, Waiter
from controlpanel.objects.states import Status
from controlpanel.operations import claims, notices
from controlpanel.operations.containers import remove, start, stop
from controlpanel.rpc import outcomes
from engine.containers import runtime
from engine.errors import Conflict, MuelleError, Unavailable

Purpose = Waiter.Purpose
CHANGED = {"changed": True}

logger = logging.getLogger(__name__)


def pursue(container: Container) -> None:
    """See that what was asked of a container that runs does reach the run that goes on now.

    A stop may have found no shim, because the container was between two runs; and somebody may have started it again
    between its end and its removal.
    """
    layout = settings.MUELLE_LAYOUT
    with contextlib.suppress(Unavailable):  # its shim is going or gone: the end is about to be found
        for waiter in container.waiters.filter(arguments__undelivered=True):
            number = waiter.arguments.get("signal", signal.SIGKILL)
            runtime.stop(layout, container.id, number, waiter.arguments.get("timeout"))
            Waiter.objects.filter(pk=waiter.pk).update(arguments={**waiter.arguments, "undelivered": False})
        if container.waiters.filter(purpose=Purpose.REMOVE).exists():
            runtime.signal_container(layout, container.id, signal.SIGKILL)


def of(container_id: str) -> list[Waiter]:
    return list(Waiter.objects.filter(container_id=container_id).order_by("pk"))


def serve(container: Container, known: list[Waiter]) -> None:
    """Answer everyone, now that the container is down. Who removes by force is served before who restarts.

    ``known`` waited before it was seen down. Who came later waits for another end if somebody has started the container
    meanwhile, except for a removal, which looks again by itself.
    """
    at_rest = ~Q(container__status__in=[*states.ALIVE, *states.TRANSIENT])
    later = container.waiters.filter(at_rest | Q(purpose=Purpose.REMOVE))
    waiting = [each for _, each in sorted({each.pk: each for each in (*known, *later)}.items())]
    groups = {purpose: [each for each in waiting if each.purpose == purpose] for purpose in Purpose}
    _finish(groups[Purpose.KILL], outcomes.of_value(CHANGED))
    if groups[Purpose.STOP]:
        events.publish_all([events.of_container(container, "stop")])
        _finish(groups[Purpose.STOP], outcomes.of_value(CHANGED))
    if groups[Purpose.REMOVE]:
        _remove(container, groups[Purpose.REMOVE])
    elif groups[Purpose.RESTART]:
        _finish(groups[Purpose.RESTART], _restart(container))


def restarted(container: Container) -> None:
    """The run for which a restart waits goes on, but the monitor that started it died before it could say so."""
    group = list(container.waiters.filter(purpose=Purpose.RESTART))
    if group:
        events.publish_all([events.of_container(container, "restart")])
        _finish(group, outcomes.of_value(CHANGED))


def _finish(group: list[Waiter], answer: outcomes.Answer) -> None:
    """The work is done: forget the rows, then tell the callers."""
    Waiter.objects.filter(pk__in=[waiter.pk for waiter in group]).delete()
    for waiter in group:
        outcomes.deliver(waiter.call_id, answer)


def _remove(container: Container, group: list[Waiter]) -> None:
    """The removal answers all who wait. They go on waiting when somebody has started the container meanwhile."""
    volumes = any(waiter.arguments.get("volumes") for waiter in group)
    try:
        if remove.take(container, tuple(states.REMOVABLE), volumes=volumes or container.auto_remove):
            remove.purge(container)
        else:
            notices.nudge(container.id)
    except MuelleError as error:
        _finish(group, outcomes.of_error(error))


def _restart(container: Container) -> outcomes.Answer:
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
