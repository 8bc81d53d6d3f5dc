"""Starting a container: from its row to a running process, or back to where it came from."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.conf import settings
from django.db import Error

from controlpanel.contracts import containers
from controlpanel.contracts.results import Changed
from controlpanel.objects import events, states
from controlpanel.objects.models import Container, Endpoint, Waiter
from controlpanel.objects.states import Status
from controlpanel.operations import claims, networks, notices
from controlpanel.operations.containers import mounting, settled
from engine.containers import container as engine_container
from engine.containers import runtime
from engine.containers.spec import Peer, Specification
from engine.errors import Conflict, MuelleError, SystemFailure, Unavailable
from engine.undo import undone_on_failure

STARTABLE_BY_HAND = (Status.CREATED, Status.EXITED)
REMOVE = Waiter.Purpose.REMOVE
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


@containers.start.implement
def start(container_id: str) -> Changed:
    container = settled.container(container_id)
    while not take(container):
        if container.status in {Status.RUNNING, Status.RESTARTING}:
            return {"changed": False}
        container = settled.container(container_id)
    launch(container)
    return {"changed": True}


def take(container: Container) -> bool:
    """Claim a container for a start by hand; false when somebody else moved it, or it runs. Raises Conflict."""
    refuse(container)
    if container.status not in STARTABLE_BY_HAND:
        return False
    return container.move(STARTABLE_BY_HAND, Status.STARTING, claim=claims.mine(), **BY_HAND)


def launch(container: Container) -> None:
    """Run a container that the caller has moved to STARTING; on failure it goes back and the error is raised."""
    try:
        rows = _run(container)
    except BaseException as error:
        try:
            _give_back(container, error)
        except Error:
            claims.give_up(container)
        raise
    _announce(container, rows)


def refuse(container: Container) -> None:
    """Raise for the states that no start leaves from; who removes by force has the last word."""
    if container.status == Status.PAUSED:
        raise Conflict("cannot start a paused container, try unpause instead")
    doomed = container.status in {Status.CREATED, Status.EXITED} and container.waiters.filter(purpose=REMOVE).exists()
    if doomed or container.status in {Status.REMOVING, Status.DEAD}:
        raise Conflict("container is marked for removal and cannot be started")


def _run(container: Container) -> list[Endpoint]:
    """Start it and say so in its row; returns its endpoints."""
    layout = settings.MUELLE_LAYOUT
    with undone_on_failure(f"start of container {container.short_id}") as undo:
        rows = networks.reserve(container)
        undo.callback(networks.free, rows)
        specification = _specification(container, rows)
        if engine_container.ensure_bridges(layout, specification.endpoints):
            networks.restore_ports(container.node_id)
        started = engine_container.start(layout, specification)
        undo.callback(engine_container.tear_down, layout, container.id, started.endpoints)
        networks.record_ports(rows, started.endpoints)
        if not record(container, started.pid, started.started_at):
            raise SystemFailure(f"container {container.id} was changed while it started")
    return rows


def _specification(container: Container, rows: list[Endpoint]) -> Specification:
    return Specification(
        id=container.id,
        name=container.name,
        config=container.config,
        host_config=container.host_config,
        layers=tuple(reversed(container.layers)),
        mounts=tuple(mounting.mounts_of(container)),
        endpoints=networks.plans_of(container, rows),
        peers=_peers(container),
        log_group=settings.MUELLE_LAYOUT.container(container.id).stat().st_gid,
    )


def record(container: Container, pid: int, started_at: str) -> bool:
    """Say in its row that a container runs; false when somebody else has moved it."""
    running = {
        "pid": pid,
        "started_at": started_at,
        "has_been_started": True,
        "exit_code": 0,
        "error": "",
        "oom_killed": False,
    }
    return container.move((Status.STARTING,), Status.RUNNING, **running)


def _announce(container: Container, rows: list[Endpoint]) -> None:
    """Events in Docker's order. The monitor is told: a short command may have ended before the row said running."""
    happened = networks.events_of(container, rows, "connect")
    happened += mounting.events_of(container, "mount")
    happened.append(events.of_container(container, "start"))
    events.publish_all(happened)
    # Somebody may wait for its end already: who came while the start was under way.
    notices.nudge(container.id, notices.LOOK if container.waiters.exists() else notices.STARTED)


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
    if container.auto_remove or container.waiters.exists():
        notices.nudge(container.id)


def _peers(container: Container) -> dict[str, Peer]:
    """Processes of the containers whose namespaces this one joins; one that does not run is missing.

    As the engine recorded them: the number in a row says nothing after a reboot.
    """
    host_config = container.host_config
    modes = host_config["NetworkMode"], host_config["IpcMode"], host_config["PidMode"]
    wanted = [mode.removeprefix("container:") for mode in modes if mode.startswith("container:")]
    if not wanted:
        return {}
    rows = Container.objects.filter(node_id=container.node_id, pk__in=wanted, status__in=states.ALIVE)
    recorded = {peer: runtime.state(settings.MUELLE_LAYOUT, peer) for peer in rows.values_list("id", flat=True)}
    return {peer: Peer(state.pid, state.start_time) for peer, state in recorded.items() if state}
