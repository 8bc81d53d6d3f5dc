"""Pause and unpause: freezing a container's cgroup."""

from __future__ import annotations

import contextlib

from django.conf import settings

from controlpanel.contracts import containers
from controlpanel.objects import events
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.operations.containers import settled
from engine.containers import runtime
from engine.errors import Conflict, SystemFailure


@containers.pause.implement
def pause(container_id: str) -> None:
    """The row moves first, so that of two callers one does it and the other is told."""
    container = settled.container(container_id)
    if not container.move((Status.RUNNING,), Status.PAUSED):
        settled.look_again(container)
        if container.status == Status.PAUSED:
            raise Conflict(f"Container {container.id} is already paused")
        if container.status == Status.RESTARTING:
            raise Conflict(f"Container {container.id} is restarting, wait until the container is running")
        raise Conflict(f"Container {container.id} is not running")
    try:
        runtime.cgroup(settings.MUELLE_LAYOUT, container.id).freeze()
    except SystemFailure as error:
        container.move((Status.PAUSED,), Status.RUNNING)
        if runtime.alive(settings.MUELLE_LAYOUT, container.id):
            raise
        # It ended between the two steps; the monitor records that.
        raise Conflict(f"Container {container.id} is not running") from error
    if _overtaken(container):
        raise Conflict(f"Container {container.id} is not running")
    events.publish_all([events.of_container(container, "pause")])


def _overtaken(container: Container) -> bool:
    """Whether somebody asked for the end, or resumed it, before it stood still: a frozen process takes no signal."""
    settled.look_again(container)
    if container.status == Status.PAUSED and not container.waiters.exists():
        return False
    with contextlib.suppress(SystemFailure):
        runtime.cgroup(settings.MUELLE_LAYOUT, container.id).thaw()
    container.move((Status.PAUSED,), Status.RUNNING)
    return True


@containers.unpause.implement
def unpause(container_id: str) -> None:
    container = settled.container(container_id)
    if not resume(container):
        # Docker answers 500 here, not 409.
        raise SystemFailure(f"Container {container.id} is not paused")


def resume(container: Container) -> bool:
    """Thaw a paused container; false when it is not paused. Thawing twice does no harm, so it comes first."""
    settled.look_again(container)
    if container.status != Status.PAUSED:
        return False
    with contextlib.suppress(SystemFailure):  # its cgroup is gone when it has just ended
        runtime.cgroup(settings.MUELLE_LAYOUT, container.id).thaw()
    if not container.move((Status.PAUSED,), Status.RUNNING):
        return False
    events.publish_all([events.of_container(container, "unpause")])
    return True
