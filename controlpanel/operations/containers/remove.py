"""Removing containers: the row, the directory, and with ``-v`` the anonymous volumes."""

from __future__ import annotations

import contextlib
import logging
import shutil
import signal as signals
from pathlib import Path

from django.conf import settings
from django.db import Error, transaction

from controlpanel.objects import events, states
from controlpanel.objects.models import Container, Waiter
from controlpanel.objects.states import Status
from controlpanel.operations import claims, networks, notices
from controlpanel.operations import volumes as volume_tasks
from controlpanel.operations.containers import pause, settled, stop
from controlpanel.operations.images import library
from controlpanel.rpc import outcomes
from controlpanel.rpc.worker import LATER, Later, call_id, operation
from engine.containers import runtime
from engine.errors import Conflict, MuelleError, NotFound, SystemFailure

DEBRIS = ".removed-"  # begins the name of a directory whose container is gone

logger = logging.getLogger(__name__)


@operation("containers.remove")
def remove(id: str, force: bool = False, volumes: bool = False) -> dict[str, bool] | Later:  # noqa: A002
    """Remove a container; with ``force`` a running one is killed first and the answer comes when it has gone."""
    while True:
        container = settled.find_settled(id)
        if container.status == Status.REMOVING:
            raise Conflict(f"removal of container {id} is already in progress")
        if container.status in states.REMOVABLE:
            if container.move(tuple(states.REMOVABLE), Status.REMOVING, claim=claims.mine()):
                purge(container, with_volumes=volumes)
                return {"changed": True}
        elif not force:
            raise Conflict(_refusal(container))
        elif container.status in states.ALIVE:
            return _kill_and_remove(container, volumes)
        else:
            stop.call_off_restart(container)


def purge(container: Container, *, with_volumes: bool, torn_down: bool = False) -> None:
    """Take away everything of a container in REMOVING. On failure it stays as ``dead`` and can be removed again.

    ``torn_down`` says that the monitor has just cleared up after its last run.
    """
    try:
        _purge(container, with_volumes=with_volumes, torn_down=torn_down)
    except Error:
        claims.give_up(container)
        raise


def _purge(container: Container, *, with_volumes: bool, torn_down: bool) -> None:
    try:
        if not torn_down:
            for row in container.endpoints.all():
                networks.release(row)
            runtime.release(settings.MUELLE_LAYOUT, container.id)
        debris = _set_aside(container.id)
        happened = _forget(container, with_volumes)
    except (MuelleError, OSError) as error:
        text = f"unable to remove filesystem for {container.id}: {error}"
        container.move((Status.REMOVING,), Status.DEAD, error=text)
        raise SystemFailure(text) from error
    events.publish_all(happened)
    shutil.rmtree(debris, ignore_errors=True)  # what is left of it goes at the monitor's next boot


def _set_aside(container_id: str) -> Path:
    """Take the directory's name away at once: deleting many files takes long, and those who wait need not see it."""
    layout = settings.MUELLE_LAYOUT
    layout.shim_socket(container_id).unlink(missing_ok=True)
    debris: Path = layout.container(f"{DEBRIS}{container_id}")
    with contextlib.suppress(FileNotFoundError):
        layout.container(container_id).rename(debris)
    return debris


def _forget(container: Container, with_volumes: bool) -> list[events.Event]:
    """Delete the row and, if asked, the anonymous volumes that only this container used."""
    happened = [events.of_container(container, "destroy")]
    anonymous = volume_tasks.anonymous_of(container) if with_volumes and container.mounts else []
    image_id = container.image_id
    with transaction.atomic():
        # Held first: what is inserted meanwhile for this container waits, and finds it gone. (SQLite has one writer.)
        Container.objects.select_for_update().filter(pk=container.pk).first()
        late = list(container.waiters.all())
        container.delete()
    _answer(late)
    library.collect(image_id)
    for volume in anonymous:
        try:
            happened += volume_tasks.discard(volume)
        except MuelleError as error:
            logger.warning("volume %s stays: %s", volume.name, error)
    return happened


def _answer(late: list[Waiter]) -> None:
    """Those who came while the container was on its way out; their rows went with it."""
    for waiter in late:
        if waiter.purpose == Waiter.Purpose.RESTART:
            answer = outcomes.of_error(NotFound(f"No such container: {waiter.container_id}"))
        else:
            answer = outcomes.of_value({"changed": True})
        outcomes.deliver(waiter.call_id, answer)


def _kill_and_remove(container: Container, with_volumes: bool) -> dict[str, bool] | Later:
    Container.objects.filter(pk=container.pk).update(manually_stopped=True, restart_cancelled=True)
    arguments = {"volumes": with_volumes}
    stop.enlist(container, Waiter.Purpose.REMOVE, arguments)
    stop.send(container, signals.SIGKILL)
    pause.resume(container)
    notices.nudge(container.id)
    return LATER if call_id() else {"changed": True}


def _refusal(container: Container) -> str:
    if container.status == Status.PAUSED:
        hint = f"container is {container.status} and must be unpaused first"
    else:
        hint = f"container is {container.status}: stop the container before removing or force remove"
    return f'cannot remove container "/{container.name}": {hint}'
