"""Stop, kill and restart ask the shim and leave; the monitor answers when the container has ended."""

from __future__ import annotations

import signal as signals
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from controlpanel.contracts import containers
from controlpanel.contracts.results import Changed
from controlpanel.objects import events, states
from controlpanel.objects.models import Container, Waiter
from controlpanel.objects.states import Status
from controlpanel.operations import notices
from controlpanel.operations.containers import pause, settled, start
from controlpanel.rpc.worker import LATER, Later, call_id
from engine.containers import runtime
from engine.containers.config import signals as config_signals
from engine.errors import Conflict, NotFound, Unavailable

STOP_SIGNAL = "SIGTERM"
STOP_SECONDS = 10


@containers.stop.implement
def stop(container_id: str, timeout: int | None = None, signal: str | None = None) -> Changed | Later:
    while True:
        container = settled.container(container_id)
        if container.status in states.ALIVE:
            return _ask_to_end(container, Waiter.Purpose.STOP, timeout, signal)
        if container.status != Status.RESTARTING:
            return {"changed": False}
        if call_off_restart(container):
            events.publish_all([events.of_container(container, "stop")])
            return {"changed": True}


@containers.restart.implement
def restart(container_id: str, timeout: int | None = None, signal: str | None = None) -> Changed | Later:
    while True:
        container = settled.container(container_id)
        if container.status in states.ALIVE:
            return _ask_to_end(container, Waiter.Purpose.RESTART, timeout, signal)
        if container.status == Status.RESTARTING and not call_off_restart(container):
            continue
        if start.take(container):
            start.launch(container)
            events.publish_all([events.of_container(container, "restart")])
            return {"changed": True}


@containers.kill.implement
def kill(container_id: str, signal: str | None = None) -> Changed | Later:
    """Any signal counts as a manual stop; whether it cancels the restart policy see ``is_final``."""
    container = settled.container(container_id)
    number = config_signals.number(signal or "KILL")
    if container.status == Status.RESTARTING and call_off_restart(container):
        return {"changed": True}
    if container.status not in states.ALIVE:
        raise Conflict(f"container {container.id} is not running")
    final = is_final(container, number)
    _note_by_hand(container, final)
    if number == signals.SIGKILL:
        enlist(container, Waiter.Purpose.KILL, {})
    send(container, number)
    if final:
        pause.resume(container)
    return answer_later() if number == signals.SIGKILL else {"changed": True}


def enlist(container: Container, purpose: Waiter.Purpose, arguments: dict[str, Any]) -> Waiter:
    """Have the running call answered at the container's end. Raises NotFound when somebody has just removed it."""
    try:
        with transaction.atomic():
            return Waiter.objects.create(container=container, purpose=purpose, call_id=call_id(), arguments=arguments)
    except IntegrityError as error:
        raise NotFound(f"No such container: {container.id}") from error


def answer_later() -> Changed | Later:
    """The monitor answers the running call; outside a call nobody waits."""
    return LATER if call_id() else {"changed": True}


def send(container: Container, number: int) -> None:
    """Signal the container's first process and say so. A shim that is gone is the monitor's business: it is told."""
    try:
        runtime.signal_container(settings.MUELLE_LAYOUT, container.id, number)
    except Unavailable:
        notices.nudge(container.id)
    events.publish_all([events.of_container(container, "kill", signal=number)])


def is_final(container: Container, number: int) -> bool:
    """Whether a signal sent by hand means the end, so that no restart policy applies to the exit that follows.

    Docker: every signal does, except one that differs from a StopSignal which the container names (SIGHUP to a server).
    """
    wanted = container.config["StopSignal"]
    return not wanted or number in {signals.SIGKILL, config_signals.number(wanted)}


def call_off_restart(container: Container) -> bool:
    """Turn a waiting automatic restart into an exit; false when the restart has begun meanwhile."""
    return container.move(
        (Status.RESTARTING,), Status.EXITED, manually_stopped=True, restart_cancelled=True, restart_at=0
    )


def _ask_to_end(
    container: Container, purpose: Waiter.Purpose, timeout: int | None, signal: str | None
) -> Changed | Later:
    number = config_signals.number(signal or container.config["StopSignal"] or STOP_SIGNAL)
    patience = _patience(container, timeout)
    _note_by_hand(container, final=True)
    arguments: dict[str, Any] = {"signal": number, "timeout": patience}
    # The row comes first: an exit in the next instant must find it.
    waiter = enlist(container, purpose, arguments)
    try:
        runtime.stop(settings.MUELLE_LAYOUT, container.id, number, patience)
        pause.resume(container)
    except Unavailable:
        # Its shim is gone: the monitor finds that out, or passes the wish on to the next run's shim.
        Waiter.objects.filter(pk=waiter.pk).update(arguments={**arguments, "undelivered": True})
    events.publish_all([events.of_container(container, "kill", signal=number)])
    notices.nudge(container.id)
    return answer_later()


def _note_by_hand(container: Container, final: bool) -> None:
    fields: dict[str, bool] = {"manually_stopped": True, **({"restart_cancelled": True} if final else {})}
    Container.objects.filter(pk=container.pk).update(**fields)


def _patience(container: Container, timeout: int | None) -> int | None:
    configured = container.config["StopTimeout"]
    seconds = timeout if timeout is not None else STOP_SECONDS if configured is None else configured
    return None if seconds < 0 else seconds
