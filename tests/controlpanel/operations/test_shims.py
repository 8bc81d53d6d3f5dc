"""Killed shims: the monitor knows at once, whenever it is."""

from __future__ import annotations

import errno
import os
import selectors
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlpanel.monitor import loop
from controlpanel.monitor.loop import Monitor
from controlpanel.monitor.shims import Shims
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.operations import notices
from controlpanel.operations.containers import start, stop, teardown
from engine.containers import runtime, spec
from engine.containers.runtime import KILLED, State
from engine.kernel.processes import start_time
from engine.layout import Layout
from tests.controlpanel.operations.conftest import Make, fresh, until, watching
from tests.support.archives import BUSYBOX

pytestmark = pytest.mark.kernel


@pytest.fixture
def notices_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No look at all containers: what the monitor learns, it learns from notices and from the ends of shims."""
    monkeypatch.setattr(loop, "OVERDUE_SECONDS", 1000.0)
    monkeypatch.setattr(loop, "RESYNC_SECONDS", 1000.0)


@pytest.fixture
def selector() -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as made:
        yield made


@pytest.fixture
def shims(selector: selectors.BaseSelector) -> Iterator[Shims]:
    made = Shims(selector)
    yield made
    made.close()


def _state(layout: Layout, container_id: str) -> State:
    state = runtime.state(layout, container_id)
    assert state is not None
    return state


def _start_again(layout: Layout, container: Container) -> State:
    """End a container, its shim with it, and start it once more."""
    first = _state(layout, container.id)
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: start_time(first.shim_pid) is None)
    teardown.tear_down(container)
    Container.objects.filter(pk=container.pk).update(status=Status.EXITED)
    start.start(container.id)
    return _state(layout, container.id)


def _watched(selector: selectors.BaseSelector) -> list[int]:
    """The processes whose descriptors are in the selector."""
    lines = [Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines() for fd in selector.get_map()]
    return [int(line.removeprefix("Pid:")) for each in lines for line in each if line.startswith("Pid:")]


def test_a_killed_shim_takes_its_container_along(engine: Layout, monitor: Monitor, make: Make) -> None:
    container = make(["sleep", "100"])
    start.start(container.id)
    os.kill(_state(engine, container.id).shim_pid, signal.SIGKILL)
    until(lambda: fresh(container).status == Status.EXITED)
    assert fresh(container).exit_code == KILLED
    assert runtime.cgroup(engine, container.id).pids() == []


def test_killed_shims_are_known_without_a_look_at_all_containers(
    engine: Layout, make: Make, notices_only: None
) -> None:
    """One that ran before the monitor did, one that was started beside it, one that was started twice."""
    containers = [make(["sleep", "100"]) for _ in range(3)]
    start.start(containers[0].id)
    with watching() as monitor:
        for container in containers[1:]:
            start.start(container.id)
        stop.stop(containers[2].id, timeout=0)
        until(lambda: fresh(containers[2]).status == Status.EXITED)
        start.start(containers[2].id)
        for container in containers:
            os.kill(_state(engine, container.id).shim_pid, signal.SIGKILL)
        until(lambda: {fresh(each).status for each in containers} == {Status.EXITED})
        until(lambda: monitor._shims._keys == {})


def test_a_shim_that_was_killed_before_its_start_was_told(
    engine: Layout, make: Make, notices_only: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The monitor has not watched it yet, and nobody leaves word of the end."""
    container = make(["sleep", "100"])
    with watching():
        with monkeypatch.context() as patch:
            patch.setattr(notices, "nudge", lambda *_: None)
            start.start(container.id)
        state = _state(engine, container.id)
        os.kill(state.shim_pid, signal.SIGKILL)
        until(lambda: start_time(state.pid) is None)
        notices.nudge(container.id, notices.STARTED)
        until(lambda: fresh(container).status == Status.EXITED)


def test_an_end_whose_notice_was_lost(
    engine: Layout, make: Make, notices_only: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel keeps few datagrams (net.unix.max_dgram_qlen), and many containers may end at once."""
    build = spec.build
    monkeypatch.setattr(spec, "build", lambda *given: {**build(*given), "notice_socket": "/nobody/listens"})
    container = make(["sleep", "0.5"])
    with watching():
        start.start(container.id)
        until(lambda: fresh(container).status == Status.EXITED)
    assert fresh(container).exit_code == 0


def test_a_command_with_rights_of_its_own_ends_with_its_shim(
    engine: Layout, make: Make, notices_only: None, tmp_path: Path
) -> None:
    """The kernel does not kill it with its parent: execve(2) of a set-user-ID program takes that back."""
    tmp_path.chmod(0o755)
    command = Path(shutil.copy(BUSYBOX, tmp_path / "busybox"))
    command.chmod(0o4755)
    container = make(["/mnt/busybox", "sleep", "100"], Binds=[f"{tmp_path}:/mnt"], config={"User": "1000"})
    with watching():
        start.start(container.id)
        os.kill(_state(engine, container.id).shim_pid, signal.SIGKILL)
        until(lambda: fresh(container).status == Status.EXITED)
    assert fresh(container).exit_code == KILLED


def test_the_end_of_a_shim_concerns_its_own_run(
    engine: Layout, make: Make, selector: selectors.BaseSelector, shims: Shims
) -> None:
    """It may be read in one round with the notice of the next run's start, and after that."""
    container = make(["sleep", "100"])
    start.start(container.id)
    shims.watch(container.id)
    second = _start_again(engine, container)
    ((key, _),) = selector.select(5)
    shims.watch(container.id)
    assert shims.ended(key) is None
    assert _watched(selector) == [second.shim_pid]


def test_a_run_outlives_the_shim_of_the_run_before(
    engine: Layout, make: Make, selector: selectors.BaseSelector, shims: Shims
) -> None:
    """Whose end is read before the notice of the start."""
    container = make(["sleep", "100"])
    start.start(container.id)
    shims.watch(container.id)
    second = _start_again(engine, container)
    ((key, _),) = selector.select(5)
    assert shims.ended(key) == container.id
    assert _watched(selector) == []
    assert start_time(second.pid) == second.start_time


def test_a_shim_is_watched_until_it_has_left_word(
    engine: Layout, make: Make, selector: selectors.BaseSelector, shims: Shims
) -> None:
    """Its container has ended, and it may be killed while it writes that down."""
    container = make(["sleep", "100"])
    start.start(container.id)
    state = _state(engine, container.id)
    os.kill(state.shim_pid, signal.SIGSTOP)
    try:
        os.kill(state.pid, signal.SIGKILL)
        until(lambda: start_time(state.pid) is None)
        assert not shims.watch(container.id)
        assert _watched(selector) == [state.shim_pid]
    finally:
        os.kill(state.shim_pid, signal.SIGKILL)
    ((key, _),) = selector.select(5)
    assert shims.ended(key) == container.id


def test_the_monitor_goes_on_without_a_descriptor_left(
    engine: Layout, make: Make, notices_only: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it cannot watch, it takes neither for dead nor kills."""
    unwatched, container = make(["sleep", "100"]), make(["true"])
    refused: list[State] = []

    def refuse(run: State) -> None:
        refused.append(run)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with watching():
        with monkeypatch.context() as patch:
            patch.setattr(runtime, "open_shim", refuse)
            start.start(unwatched.id)
            until(lambda: refused)
        start.start(container.id)
        until(lambda: fresh(container).status == Status.EXITED)
    assert fresh(unwatched).status == Status.RUNNING
    assert runtime.alive(engine, unwatched.id)
