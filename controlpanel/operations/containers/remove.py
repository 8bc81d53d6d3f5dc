"""Removing containers: the row, the directory, and with ``-v`` the anonymous volumes."""

from __future__ import annotations

import logging
import signal as signals
from pathlib import Path

from django.conf import settings
from django.db import Error, transaction

from controlpanel.contracts import containers
from controlpanel.contracts.results import Changed
from controlpanel.objects import events, states
from controlpanel.objects.models import Container, Waiter
from controlpanel.objects.states import Status
from controlpanel.operations import claims, notices
from controlpanel.operations import volumes as volumes_of
from controlpanel.operations.containers import pause, settled, stop, teardown
from controlpanel.operations.images import library
from controlpanel.rpc import outcomes
from controlpanel.rpc.worker import Later
from engine.archives.trees import discard_tree
from engine.containers import container as engine_container
from engine.errors import Conflict, MuelleError, NotFound, SystemFailure

logger = logging.getLogger(__name__)


@containers.remove.implement
def remove(container_id: str, force: bool = False, volumes: bool = False) -> Changed | Later:
    """With ``force`` a running one is killed first and the answer comes when it has gone."""
    while True:
        container = settled.container(container_id)
        if container.status == Status.REMOVING:
            raise Conflict(f"removal of container {container_id} is already in progress")
        if container.status in states.REMOVABLE:
            if take(container, tuple(states.REMOVABLE), volumes=volumes):
                purge(container)
                return {"changed": True}
        elif not force:
            raise Conflict(_refusal(container))
        elif container.status in states.ALIVE:
            return _kill_and_remove(container, volumes)
        else:
            stop.call_off_restart(container)


def take(container: Container, sources: tuple[Status, ...], *, volumes: bool) -> bool:
    """Claim a container for its removal; false when somebody else moved it. Whoever finishes knows of the volumes."""
    return container.move(sources, Status.REMOVING, claim=claims.mine(), removes_volumes=volumes)


def purge(container: Container, *, torn_down: bool = False) -> None:
    """Take away everything of a container in REMOVING, and tell those who waited for that.

    On failure it stays as ``dead`` and can be removed again; when the database is the reason, the monitor goes on with
    it. ``torn_down`` says that the monitor has just cleared up after its last run.
    """
    try:
        debris, happened, waiting = _take_away(container, torn_down=torn_down)
    except Error:
        claims.give_up(container)
        raise
    except BaseException as error:
        text = f"unable to remove filesystem for {container.id}: {error}"
        _leave(container, text)
        if isinstance(error, MuelleError | OSError):
            raise SystemFailure(text) from error
        raise
    events.publish_all(happened)
    _answer(waiting)
    _collect_image(container)
    discard_tree(debris)  # what is left of it goes at the monitor's next boot


def _take_away(container: Container, *, torn_down: bool) -> tuple[Path, list[events.Event], list[Waiter]]:
    """Returns the directory that is left to delete, the events, and who waited."""
    if not torn_down:
        teardown.tear_down(container)
    return engine_container.set_aside(settings.MUELLE_LAYOUT, container.id), *_forget(container)


def _leave(container: Container, text: str) -> None:
    try:
        container.move((Status.REMOVING,), Status.DEAD, error=text)
    except Error:
        claims.give_up(container)


def _forget(container: Container) -> tuple[list[events.Event], list[Waiter]]:
    """Delete, if asked, the anonymous volumes that only this container used, then its row; also returns who waited.

    The row goes last: while it is there, a removal whose process died is found and finished.
    """
    happened = [events.of_container(container, "destroy")]
    if container.removes_volumes and container.mounts:
        happened += _release_volumes(container)
    with transaction.atomic():
        # Held first: what is inserted meanwhile for this container waits, and finds it gone. (SQLite has one writer.)
        Container.objects.select_for_update().filter(pk=container.pk).first()
        waiting = list(container.waiters.all())
        # Not the object's own deletion: that takes its key before the commit, which may fail.
        Container.objects.filter(pk=container.pk).delete()
    return happened, waiting


def _collect_image(container: Container) -> None:
    """The container is gone, and its image's files with it if it was the last that needed them."""
    try:
        library.collect(container.image_id)
    except Exception:
        logger.exception("the files of image %s stay", container.image_id)


def _release_volumes(container: Container) -> list[events.Event]:
    happened: list[events.Event] = []
    for volume in volumes_of.anonymous_of(container):
        try:
            happened += volumes_of.discard(volume, container)
        except MuelleError as error:
            logger.warning("volume %s stays: %s", volume.name, error)
    return happened


def _answer(waiting: list[Waiter]) -> None:
    """Those whose rows went with the container's: who asked for it, and who came while it was on its way out."""
    for waiter in waiting:
        if waiter.purpose == Waiter.Purpose.RESTART:
            answer = outcomes.of_error(NotFound(f"No such container: {waiter.container_id}"))
        else:
            answer = outcomes.of_value({"changed": True})
        outcomes.deliver(waiter.call_id, answer)


def _kill_and_remove(container: Container, volumes: bool) -> Changed | Later:
    Container.objects.filter(pk=container.pk).update(manually_stopped=True, restart_cancelled=True)
    arguments = {"volumes": volumes}
    stop.enlist(container, Waiter.Purpose.REMOVE, arguments)
    stop.send(container, signals.SIGKILL)
    pause.resume(container)
    notices.nudge(container.id)
    return stop.answer_later()


def _refusal(container: Container) -> str:
    if container.status == Status.PAUSED:
        hint = f"container is {container.status} and must be unpaused first"
    else:
        hint = f"container is {container.status}: stop the container before removing or force remove"
    return f'cannot remove container "/{container.name}": {hint}'
