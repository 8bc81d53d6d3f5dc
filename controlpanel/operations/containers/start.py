"""Starting a container: from its row to a running process, or back to where it came from."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.db import Error

from controlpanel.objects import events, states
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.operations import claims, networks, notices
from controlpanel.operations.containers import hostfiles, mounting, settled
from controlpanel.operations.networks import Seat
from controlpanel.rpc.worker import operation
from engine.containers import runtime, spec
from engine.containers.mounts import MountPoint
from engine.containers.runtime import Started
from engine.errors import Conflict, MuelleError, SystemFailure, Unavailable
from engine.networks import endpoint

NOT_RUN = 128  # Docker's exit code of a container whose set-up failed

logger = logging.getLogger(__name__)

# What a start by hand resets; an automatic one keeps them.
BY_HAND: dict[str, Any] = {
    "restart_count": 0,
    "restart_delay": 0,
    "restart_at": 0,
    "manually_stopped": False,
    "restart_cancelled": False,
}


@operation("containers.start")
def start(id: str) -> dict[str, bool]:  # noqa: A002  # the name on the wire
    """Start a container by hand; ``changed`` is false when it runs already (304)."""
    container = settled.find_settled(id)
    while True:
        if container.status in {Status.RUNNING, Status.RESTARTING}:
            return {"changed": False}
        refuse(container)
        if container.move((Status.CREATED, Status.EXITED), Status.STARTING, claim=claims.mine(), **BY_HAND):
            launch(container)
            return {"changed": True}
        container = settled.find_settled(container.id)


def launch(container: Container) -> None:
    """Run a container that the caller has moved to STARTING; on failure it goes back and the error is raised."""
    try:
        with ExitStack() as undo:
            seat, started = _run(container, undo)
            _record(container, started)
            undo.pop_all()
    except BaseException as error:
        try:
            _give_back(container, error)
        except Error:
            claims.give_up(container)
        raise
    _announce(container, seat)


def refuse(container: Container) -> None:
    """Raise for the states that no start leaves from."""
    if container.status == Status.PAUSED:
        raise Conflict("cannot start a paused container, try unpause instead")
    if container.status in {Status.REMOVING, Status.DEAD}:
        raise Conflict("container is marked for removal and cannot be started")


def _run(container: Container, undo: ExitStack) -> tuple[Seat | None, Started]:
    layout = settings.MUELLE_LAYOUT
    seat = networks.reserve(container)
    if seat:
        undo.callback(networks.release, seat.row)
    hostfiles.write(container, seat.row.ip if seat else None, seat.bridge.gateway if seat else None)
    description = spec.build(
        layout,
        container.id,
        container.config,
        container.host_config,
        container.layers[::-1],
        [MountPoint.from_json(mount) for mount in container.mounts],
        peers=_peers(container),
        log_group=layout.container(container.id).stat().st_gid,
    )

    def configure(netns_fd: int, netlink_fd: int) -> None:
        if seat:
            networks.occupy(container, seat, netns_fd, netlink_fd)
            undo.callback(networks.sweep, seat.plan)
        else:
            endpoint.loopback(netlink_fd)

    started = runtime.start(layout, container.id, description, configure)
    undo.callback(runtime.release, layout, container.id)
    return seat, started


def _record(container: Container, started: Started) -> None:
    running = {
        "pid": started.pid,
        "started_at": started.started_at,
        "has_been_started": True,
        "exit_code": 0,
        "error": "",
        "oom_killed": False,
    }
    if not container.move((Status.STARTING,), Status.RUNNING, **running):
        raise SystemFailure(f"container {container.id} was changed while it started")


def _announce(container: Container, seat: Seat | None) -> None:
    """Events in Docker's order. The monitor is told: a short command may have ended before the row said running."""
    happened = []
    if seat:
        attributes = {"container": container.id, "name": seat.network.name, "type": seat.network.driver}
        happened.append(events.event("network", "connect", seat.network.id, attributes))
    happened += mounting.events_of(container, "mount")
    happened.append(events.of_container(container, "start"))
    events.publish_all(happened)
    notices.nudge(container.id, notices.STARTED)


def _give_back(container: Container, error: BaseException) -> None:
    """Put the row back where it came from, with what went wrong; the monitor removes a ``--rm`` container."""
    text = error.message if isinstance(error, MuelleError) else f"{type(error).__name__}: {error}"
    code = getattr(error, "exit_code", NOT_RUN)
    fields: dict[str, Any] = {"error": text, "exit_code": code, "pid": 0}
    if container.previous_status == Status.RESTARTING and isinstance(error, Unavailable):
        # The launcher is away, the container is not at fault: its policy holds, and the monitor tries again.
        rest = Status.RESTARTING
        fields["restart_at"] = time.time_ns() + container.restart_delay
    else:
        rest = Status.CREATED if container.previous_status == Status.CREATED else Status.EXITED
    if not container.move((Status.STARTING,), rest, **fields):
        logger.warning("container %s moved on while its start failed: %s", container.short_id, text)
    if container.auto_remove:
        notices.nudge(container.id)


def _peers(container: Container) -> dict[str, int]:
    """Processes of the containers whose namespaces this one joins; one that does not run is missing."""
    modes = [container.host_config.get(mode) or "" for mode in ("NetworkMode", "IpcMode", "PidMode")]
    wanted = [mode.removeprefix("container:") for mode in modes if mode.startswith("container:")]
    if not wanted:
        return {}
    rows = Container.objects.filter(pk__in=wanted, status__in=states.ALIVE)
    return dict(rows.values_list("id", "pid"))
