"""The end of a container's run: found on disk, recorded in the database, torn down in the kernel."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from controlpanel.objects import events, states
from controlpanel.objects.models import Container, Exec
from controlpanel.objects.states import Status
from controlpanel.operations import networks
from controlpanel.operations.containers import mounting, teardown
from engine import rfc3339
from engine.containers import restart
from engine.containers.runtime import KILLED, Exit
from engine.networks.endpoint import EndpointPlan
from engine.rfc3339 import NANO


def settle(container: Container, end: Exit, remove_later: Callable[[EndpointPlan], None]) -> bool:
    """Tear the run down and move the row to ``exited`` or ``restarting``; false when somebody else moved it.

    Teardown comes first: a row that says exited may be started again, and must find a clean place.
    """
    held = teardown.tear_down(container)
    disconnected = networks.events_of(container, held.rows, "disconnect")
    for plan in held.plans:
        remove_later(plan)
    pause = restart.delay(run_of(container, end))
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
    if not container.move(states.ALIVE, Status.EXITED if pause is None else Status.RESTARTING, **fields):
        return False
    if not container.auto_remove:
        Exec.objects.filter(container=container, running=True).update(running=False, exit_code=KILLED)
    events.publish_all(_events(container, disconnected, end))
    return True


def run_of(container: Container, end: Exit) -> restart.Run:
    policy = container.host_config["RestartPolicy"]
    return restart.Run(
        policy=policy["Name"],
        maximum=policy["MaximumRetryCount"],
        exit_code=end.exit_code,
        duration=_duration(container, end.finished_at),
        restarts=container.restart_count,
        last_delay=container.restart_delay,
        manually_stopped=container.manually_stopped,
        cancelled=container.restart_cancelled,
    )


def _events(container: Container, disconnected: list[events.Event], end: Exit) -> list[events.Event]:
    """Docker's order: the kill at the end of a stop's patience, the networks, the volumes, then ``die``.

    An ``oom`` is told by the shim's notice when it happens, and here when nobody heard that or the end came with it.
    """
    untold = end.oom_killed and not end.oom_told
    happened = [events.of_container(container, "oom")] if untold else []
    if end.exit_code == KILLED and _ran_out_of_patience(container):
        happened.append(events.of_container(container, "kill", signal=int(signal.SIGKILL)))
    happened += disconnected
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
    if container.started_at == rfc3339.ZERO:
        return 0
    return max(0, rfc3339.parse(finished_at) - rfc3339.parse(container.started_at))
