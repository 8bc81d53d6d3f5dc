"""The end of a container's run: found on disk, recorded in the database, torn down in the kernel."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from django.conf import settings

from controlpanel.monitor import policy
from controlpanel.objects import events, times
from controlpanel.objects.models import Container, Endpoint, Exec
from controlpanel.objects.states import Status
from controlpanel.objects.times import NANO
from controlpanel.operations import networks
from controlpanel.operations.containers import mounting
from engine.containers import runtime, wire
from engine.containers.runtime import Exit
from engine.errors import MuelleError
from engine.kernel.processes import start_time
from engine.networks.endpoint import EndpointPlan

KILLED = 137  # a shim that died took its container along (PDEATHSIG) and could not write how it ended

ALIVE = (Status.RUNNING, Status.PAUSED)


def find(container: Container) -> Exit | None:
    """How the container's run ended; None while it goes on."""
    layout = settings.MUELLE_LAYOUT
    known = runtime.exit_of(layout, container.id)
    if known or _process_lives(container) or _shim_answers(container):
        return known
    # The shim stops listening before it writes its record, and may have finished that since the first look.
    runtime.await_last_word(layout, container.id)
    return runtime.exit_of(layout, container.id) or Exit(KILLED, times.now(), False, False)


def looks_ended(container: Container) -> bool:
    """A quick look at the disk and at /proc, without asking the shim."""
    layout = settings.MUELLE_LAYOUT
    return runtime.exit_of(layout, container.id) is not None or not _process_lives(container)


def settle(container: Container, end: Exit, sweep_later: Callable[[EndpointPlan], None]) -> bool:
    """Tear the run down and move the row to ``exited`` or ``restarting``; false when somebody else moved it.

    Teardown comes first: a row that says exited may be started again, and must find a clean place.
    """
    seats = list(container.endpoints.select_related("network"))
    runtime.release(settings.MUELLE_LAYOUT, container.id)
    for seat in seats:
        plan = networks.plan_of(seat)
        networks.release(seat)
        sweep_later(plan)
    pause = policy.delay(run_of(container, end))
    fields = {
        "pid": 0,
        "exit_code": end.exit_code,
        "finished_at": end.finished_at,
        "oom_killed": end.oom_killed,
    }
    if pause is not None:
        fields |= {
            "restart_delay": pause,
            "restart_at": time.time_ns() + pause,
            "restart_count": container.restart_count + 1,
        }
    if not container.move(ALIVE, Status.EXITED if pause is None else Status.RESTARTING, **fields):
        return False
    if not container.auto_remove:
        Exec.objects.filter(container=container, running=True).update(running=False, exit_code=KILLED)
    events.publish_all(_events(container, seats, end))
    return True


def run_of(container: Container, end: Exit) -> policy.Run:
    wanted = container.host_config.get("RestartPolicy") or {}
    return policy.Run(
        policy=container.restart_policy,
        maximum=wanted.get("MaximumRetryCount") or 0,
        exit_code=end.exit_code,
        duration=_duration(container, end.finished_at),
        restarts=container.restart_count,
        last_delay=container.restart_delay,
        manually_stopped=container.manually_stopped,
        cancelled=container.restart_cancelled,
    )


def _process_lives(container: Container) -> bool:
    state = runtime.state(settings.MUELLE_LAYOUT, container.id)
    return state is not None and start_time(state.pid) == state.start_time


def _shim_answers(container: Container) -> bool:
    """A shim whose container has ended may still be writing the log and the record; it will send a notice."""
    try:
        wire.call(settings.MUELLE_LAYOUT.shim_socket(container.id), {"op": "state"}, timeout=2)
    except MuelleError:
        return False
    return True


def _events(container: Container, seats: list[Endpoint], end: Exit) -> list[events.Event]:
    """Docker's order: the kill at the end of a stop's patience, the networks, the volumes, then ``die``.

    An ``oom`` is told at the end, since the kernel's counter is read then; Docker tells it when it happens.
    """
    happened = [events.of_container(container, "oom")] if end.oom_killed else []
    if end.exit_code == KILLED and _ran_out_of_patience(container):
        happened.append(events.of_container(container, "kill", signal=int(signal.SIGKILL)))
    for seat in seats:
        attributes = {"container": container.id, "name": seat.network.name, "type": seat.network.driver}
        happened.append(events.event("network", "disconnect", seat.network_id, attributes))
    happened += mounting.events_of(container, "unmount")
    seconds = _duration(container, end.finished_at) // NANO
    happened.append(events.of_container(container, "die", exitCode=end.exit_code, execDuration=seconds))
    return happened


def _ran_out_of_patience(container: Container) -> bool:
    """Whether the shim killed it because a stop's signal had not ended it."""
    stops = [waiter.arguments for waiter in container.waiters.all() if "timeout" in waiter.arguments]
    return any(stop["timeout"] is not None and stop["signal"] != signal.SIGKILL for stop in stops)


def _duration(container: Container, finished_at: str) -> int:
    """Nanoseconds of the run; 0 when a clock was set back."""
    if container.started_at == times.ZERO:
        return 0
    return max(0, times.parse(finished_at) - times.parse(container.started_at))
