"""What the monitor does about one container; it may be asked at any time and does only what is due."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.conf import settings

from controlpanel.monitor import ends, repair, waiters
from controlpanel.objects import states
from controlpanel.objects.models import Container, Waiter
from controlpanel.objects.states import Status
from controlpanel.operations import claims
from controlpanel.operations.containers import remove, start
from engine.containers import runtime
from engine.errors import MuelleError, SystemFailure, Unavailable
from engine.networks import endpoint
from engine.networks.endpoint import EndpointPlan

INTERFACE_SECONDS = 2.0
RETRY_SECONDS = 1.0

logger = logging.getLogger(__name__)

# Run a function after so many seconds, on one of the monitor's threads.
Later = Callable[[float, Callable[[], None]], None]


class Reconciler:
    """Stateless but for its clock: everything it decides on is in the database and on disk."""

    def __init__(self, later: Later) -> None:
        self._later = later

    def look(self, container_id: str) -> None:
        """Compare the container's row with the disk and do what follows."""
        waiting = waiters.of(container_id)  # before the row: if that is at rest, all of them have seen an end
        container = Container.objects.filter(pk=container_id).first()
        if container is None:
            return
        if container.status in states.TRANSIENT:
            repair.repair(container)
            container = Container.objects.filter(pk=container_id).first()
            if container is None or container.status in states.TRANSIENT:
                return
        torn_down = container.status in states.ALIVE and self._look_at_running(container)
        if container.status == Status.RESTARTING:
            self._plan_restart(container)
        if container.status not in states.ALIVE:
            self._clear_up(container, torn_down, waiting)

    def restart(self, container_id: str) -> None:
        """An automatic start whose time has come; nothing if it was called off or put off meanwhile."""
        container = Container.objects.filter(pk=container_id).first()
        if container is None or container.status != Status.RESTARTING or container.restart_at > time.time_ns():
            return
        self.start(container, Status.RESTARTING)

    def start(self, container: Container, source: Status) -> None:
        if not container.move((source,), Status.STARTING, claim=claims.mine()):
            return
        try:
            start.launch(container)
        except Unavailable as error:
            logger.warning("automatic start of %s is tried again: %s", container, error)
            if source != Status.RESTARTING:  # that one is overdue, and found as such: two chains would breed
                self._later(RETRY_SECONDS, lambda: self._start_again(container.id, source))
        except MuelleError as error:
            logger.warning("automatic start of %s failed: %s", container, error)

    def _start_again(self, container_id: str, source: Status) -> None:
        """The launcher was away. It comes back soon, or every start fails and this one waits with the others."""
        container = Container.objects.filter(pk=container_id).first()
        if container is not None and container.status == source:
            self.start(container, source)

    def _look_at_running(self, container: Container) -> bool:
        """True when the container has ended and this call has torn its run down."""
        end = runtime.find_end(settings.MUELLE_LAYOUT, container.id)
        if end is None:
            waiters.pursue(container)
            return False
        return ends.settle(container, end, self._remove_interface_later)

    def _remove_interface_later(self, plan: EndpointPlan) -> None:
        """It goes with its namespace, unless another container shares that, in the kernel's time; now means to wait."""
        self._later(INTERFACE_SECONDS, lambda: _remove_interface(plan))

    def _plan_restart(self, container: Container) -> None:
        if waiters.call_off(container):
            return
        pause = max(0.0, (container.restart_at - time.time_ns()) / 1e9)
        self._later(pause, lambda: self.restart(container.id))

    def _clear_up(self, container: Container, torn_down: bool, waiting: list[Waiter]) -> None:
        """Answer those who waited for the end, and remove what was to be removed with it."""
        if container.status != Status.RESTARTING:
            waiters.serve(container, waiting)
            if _goes_by_itself(container) and remove.take(container, (Status.CREATED, Status.EXITED), volumes=True):
                remove.purge(container, torn_down=torn_down)


def _remove_interface(plan: EndpointPlan) -> None:
    try:
        endpoint.remove_interface(settings.MUELLE_LAYOUT, plan)
    except SystemFailure as error:
        logger.warning("interface %s stays: %s", plan.host_interface, error)


def _goes_by_itself(container: Container) -> bool:
    """A ``--rm`` container that has run, or whose start has failed."""
    if not container.auto_remove:
        return False
    return container.status == Status.EXITED or (container.status == Status.CREATED and bool(container.error))
