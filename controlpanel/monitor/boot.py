"""What the monitor does first: within a moment the database tells the truth, then policies are applied."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from controlpanel.monitor import ends
from controlpanel.objects import states
from controlpanel.objects.models import Container, Exec, Network, Waiter
from controlpanel.objects.states import Status
from controlpanel.operations import claims, networks
from engine import rfc3339
from engine.archives.trees import discard_tree
from engine.containers import restart, runtime, wire
from engine.containers.container import REMOVED
from engine.containers.runtime import KILLED, Exit
from engine.errors import MuelleError, NotFound
from engine.networks import bridge

ORPHAN_SECONDS = 600
EXEC_SECONDS = 3600
UNSETTLED = [*states.ALIVE, *states.TRANSIENT, Status.RESTARTING]

logger = logging.getLogger(__name__)


def unsettled() -> list[str]:
    """The containers whose rows may be wrong, those that run first."""
    rows = Container.objects.filter(node_id=settings.MUELLE_NODE)
    alive = rows.filter(status__in=UNSETTLED)
    waiting = rows.filter(waiters__isnull=False)
    return list(dict.fromkeys([*alive.values_list("id", flat=True), *waiting.values_list("id", flat=True)]))


def suspicious() -> list[str]:
    """Of those, the ones worth a look: one query, and two small files for each that runs."""
    rows = Container.objects.filter(node_id=settings.MUELLE_NODE, status__in=states.ALIVE).values_list("id", flat=True)
    return [*overdue(), *(each for each in rows if runtime.looks_ended(settings.MUELLE_LAYOUT, each))]


def overdue() -> list[str]:
    """Whom no notice will bring further: their claim died, their restart is late, or somebody waits for them.

    Many times a minute, so it costs by the number of these and not by that of all containers.
    """
    now = time.time_ns()
    rows = Container.objects.filter(node_id=settings.MUELLE_NODE, status__in=[*states.TRANSIENT, Status.RESTARTING])
    found = [row.id for row in rows.only("id", "status", "claim", "restart_at") if _is_overdue(row, now)]
    waiting = Waiter.objects.filter(container__node_id=settings.MUELLE_NODE).exclude(
        container__status__in=[*states.TRANSIENT]
    )
    return list(dict.fromkeys([*found, *waiting.values_list("container_id", flat=True)]))


def left_to_remove() -> list[str]:
    """``--rm`` containers that ended, or failed to start, while nobody watched."""
    rows = Container.objects.filter(node_id=settings.MUELLE_NODE, status__in=[Status.EXITED, Status.CREATED])
    return [row.id for row in rows if row.auto_remove and (row.status == Status.EXITED or row.error)]


def due_after_reboot() -> Iterator[Container]:
    """What restart policies bring back when the machine comes up; as in Docker ``always`` even after a stop by hand."""
    for row in Container.objects.filter(node_id=settings.MUELLE_NODE, status=Status.EXITED, has_been_started=True):
        end = Exit(row.exit_code, row.finished_at, row.oom_killed, False)
        run = ends.run_of(row, end)._replace(cancelled=False)
        if row.finished_at != rfc3339.ZERO and restart.wants_restart(run):
            yield row


def first_since_reboot() -> bool:
    """Whether the policies are still to be applied after a boot of the machine, whose run directory survives none."""
    return not settings.MUELLE_LAYOUT.boot_marker.exists()


def note_reboot() -> None:
    """What was due has been started: no other monitor need do that until the machine boots again."""
    settings.MUELLE_LAYOUT.boot_marker.touch(mode=0o600)


def restore_network() -> None:
    """Bring bridge, firewall and published ports back, if any container has used them."""
    network = Network.objects.filter(node_id=settings.MUELLE_NODE, name=networks.BRIDGE).first()
    if network is None or not network.subnet:
        return
    bridge.ensure(settings.MUELLE_LAYOUT, network.subnet)
    networks.restore_ports(settings.MUELLE_NODE)


def catch_up_execs() -> None:
    """Exec sessions that ended while nobody listened: their shims remember the exit codes."""
    ours = Exec.objects.filter(container__node_id=settings.MUELLE_NODE, running=True)
    for session in ours.select_related("container"):
        try:
            path = settings.MUELLE_LAYOUT.shim_socket(session.container_id)
            state = wire.call(path, {"op": "exec_state", "id": session.id}, timeout=2)
        except NotFound:
            state = {"running": False, "exit_code": KILLED}
        except MuelleError:
            continue  # the container's own end takes its sessions along
        if not state["running"]:
            Exec.objects.filter(pk=session.pk).update(running=False, exit_code=state["exit_code"])


def forget_execs() -> None:
    """Delete the rows of exec sessions that are over, or were never started, long ago; Docker forgets them too."""
    old = time.time_ns() - EXEC_SECONDS * rfc3339.NANO
    Exec.objects.filter(container__node_id=settings.MUELLE_NODE, running=False, created__lt=old).delete()


def remove_orphans() -> None:
    """Directories that a creation left without a row. A fresh one may belong to a creation under way."""
    home = settings.MUELLE_LAYOUT.container("x").parent
    if not home.is_dir():
        return
    known = set(Container.objects.filter(node_id=settings.MUELLE_NODE).values_list("id", flat=True))
    for directory in home.iterdir():
        if directory.name in known:
            continue
        if directory.name.startswith(REMOVED) or _age(directory) > ORPHAN_SECONDS:
            logger.warning("removing %s, which belongs to no container", directory)
            discard_tree(directory)


def _age(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


def _is_overdue(row: Container, now: int) -> bool:
    if row.status == Status.RESTARTING:
        return row.restart_at < now
    return not claims.is_alive(row.claim)
