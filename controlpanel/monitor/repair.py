"""Rows whose claim died half-way: a start or a removal is brought to one end or the other."""

from __future__ import annotations

import logging

from django.conf import settings

from controlpanel.monitor import waiters
from controlpanel.objects import events, states
from controlpanel.objects.claims import call_of
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.operations import claims, networks
from controlpanel.operations.containers import remove, start, teardown
from controlpanel.rpc import outcomes
from engine.containers import runtime
from engine.errors import MuelleError, Unavailable
from engine.networks import endpoint

logger = logging.getLogger(__name__)


def repair(container: Container) -> None:
    """Finish or undo what a dead process began; nothing for a row that somebody alive works on."""
    if claims.is_alive(container.claim):
        return
    call_id = call_of(container.claim)
    if container.status == Status.STARTING:
        outcomes.deliver(call_id, _finish_start(container))
    elif container.status == Status.REMOVING:
        logger.warning("finishing the removal of %s", container)
        container.claim = claims.mine(call_id)
        Container.objects.filter(pk=container.pk, status=Status.REMOVING).update(claim=container.claim)
        outcomes.deliver(call_id, _finish_removal(container))


def _finish_removal(container: Container) -> outcomes.Answer:
    try:
        remove.purge(container)
    except MuelleError as error:
        logger.warning("%s", error)
        return outcomes.of_error(error)
    return outcomes.of_value({"changed": True})


def _finish_start(container: Container) -> outcomes.Answer:
    """The container runs, or ran: then its row catches up. Otherwise the start is undone."""
    layout = settings.MUELLE_LAYOUT
    state = runtime.has_begun(layout, container.id)
    if state is not None:
        logger.warning("the start of %s was left unfinished: it runs", container)
        networks.find_ports(container)
        if start.record(container, state.pid, state.started_at):
            events.publish_all([events.of_container(container, "start")])
            waiters.restarted(container)  # a later stop is none of theirs
        return outcomes.of_value({"changed": True})
    logger.warning("the start of %s was left unfinished: undone", container)
    for plan in teardown.tear_down(container).plans:
        endpoint.remove_interface(layout, plan)
    # A policy's start goes back to its queue; what was asked for by hand has a caller, who is told.
    rest = Status(container.previous_status) if container.previous_status in states.STARTABLE else Status.EXITED
    error = Unavailable("the worker that started the container died")
    container.move((Status.STARTING,), rest, pid=0, error=error.message)
    return outcomes.of_error(error)
