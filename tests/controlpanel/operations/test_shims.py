"""Killed shims: the monitor knows at once, whenever it is."""

from __future__ import annotations

import os
import signal

import pytest

from controlpanel.monitor import loop
from controlpanel.monitor.loop import Monitor
from controlpanel.objects.states import Status
from controlpanel.operations import notices
from controlpanel.operations.containers import start, stop
from engine.containers import runtime
from engine.containers.runtime import KILLED
from engine.kernel.processes import start_time
from engine.layout import Layout
from tests.controlpanel.operations.conftest import Make, fresh, until, watching

pytestmark = pytest.mark.kernel


def test_a_killed_shim_takes_its_container_along(engine: Layout, monitor: Monitor, make: Make) -> None:
    container = make(["sleep", "100"])
    start.start(container.id)
    state = runtime.state(engine, container.id)
    assert state is not None
    os.kill(state.shim_pid, signal.SIGKILL)
    until(lambda: fresh(container).status == Status.EXITED)
    assert fresh(container).exit_code == KILLED
    assert runtime.cgroup(engine, container.id).pids() == []


def test_killed_shims_are_known_without_a_look_at_all_containers(
    engine: Layout, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that ran before the monitor did, one that was started beside it, one that was started twice."""
    monkeypatch.setattr(loop, "OVERDUE_SECONDS", 1000.0)
    monkeypatch.setattr(loop, "RESYNC_SECONDS", 1000.0)
    containers = [make(["sleep", "100"]) for _ in range(3)]
    start.start(containers[0].id)
    with watching() as monitor:
        for container in containers[1:]:
            start.start(container.id)
        stop.stop(containers[2].id, timeout=0)
        until(lambda: fresh(containers[2]).status == Status.EXITED)
        start.start(containers[2].id)
        for container in containers:
            state = runtime.state(engine, container.id)
            assert state is not None
            os.kill(state.shim_pid, signal.SIGKILL)
        until(lambda: {fresh(each).status for each in containers} == {Status.EXITED})
        until(lambda: monitor._shims._pidfds == {})


def test_a_shim_that_was_killed_before_its_start_was_told(
    engine: Layout, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The monitor has not watched it yet, and nobody leaves word of the end."""
    monkeypatch.setattr(loop, "OVERDUE_SECONDS", 1000.0)
    monkeypatch.setattr(loop, "RESYNC_SECONDS", 1000.0)
    container = make(["sleep", "100"])
    with watching():
        with monkeypatch.context() as patch:
            patch.setattr(notices, "nudge", lambda *_: None)
            start.start(container.id)
        state = runtime.state(engine, container.id)
        assert state is not None
        os.kill(state.shim_pid, signal.SIGKILL)
        until(lambda: start_time(state.pid) is None)
        notices.nudge(container.id, notices.STARTED)
        until(lambda: fresh(container).status == Status.EXITED)
