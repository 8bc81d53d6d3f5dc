"""What the monitor does once at its start: what policies bring back, and what others left behind."""

from __future__ import annotations

import os
import signal
import time
from typing import NoReturn

import pytest
from django.db import OperationalError

from controlpanel.monitor import boot
from controlpanel.monitor.loop import Monitor
from controlpanel.monitor.reconciler import Reconciler
from controlpanel.objects.models import Container, Exec, Node, Waiter
from controlpanel.objects.states import Status
from controlpanel.operations.containers import start, stop
from controlpanel.rpc import orphans
from engine import rfc3339
from engine.containers import runtime
from engine.containers.config import complete_exec
from engine.containers.container import REMOVED
from engine.containers.runtime import KILLED
from engine.kernel.processes import start_time
from engine.layout import Layout
from tests.controlpanel.operations.conftest import Make, fresh, until, watching

pytestmark = pytest.mark.kernel


def test_a_reboot_ends_what_ran(engine: Layout, reconciler: Reconciler, make: Make) -> None:
    """After a boot the recorded process is another one or none, and no shim answers."""
    container = make(["sleep", "100"])
    start.start(container.id)
    state = runtime.state(engine, container.id)
    assert state is not None
    os.kill(state.shim_pid, signal.SIGKILL)
    until(lambda: start_time(state.pid) is None)
    engine.shim_socket(container.id).unlink(missing_ok=True)
    (engine.container(container.id) / "state.json").unlink()
    reconciler.look(container.id)
    assert (fresh(container).status, fresh(container).exit_code) == (Status.EXITED, KILLED)


def test_what_policies_bring_back_after_a_reboot(engine: Layout, reconciler: Reconciler, make: Make) -> None:
    policies = {"always": True, "unless-stopped": False, "no": False}
    containers = {name: make(["sleep", "100"], RestartPolicy={"Name": name}) for name in policies}
    never = make(["true"], RestartPolicy={"Name": "always"})
    for container in containers.values():
        start.start(container.id)
        stop.stop(container.id, timeout=0)
        until(lambda each=container: runtime.exit_of(engine, each.id))  # type: ignore[misc]
        reconciler.look(container.id)
    due = {row.id for row in boot.due_after_reboot()}
    assert {name: container.id in due for name, container in containers.items()} == policies
    assert never.id not in due


def test_a_monitor_that_fails_after_a_reboot_leaves_the_policies_to_the_next(
    engine: Layout, reconciler: Reconciler, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its database may come up later than the monitor does."""

    def away() -> NoReturn:
        raise OperationalError("could not connect to server")

    container = make(["sleep", "100"], RestartPolicy={"Name": "always"})
    start.start(container.id)
    stop.stop(container.id, timeout=0)
    until(lambda: runtime.exit_of(engine, container.id))
    reconciler.look(container.id)
    engine.boot_marker.unlink(missing_ok=True)
    with monkeypatch.context() as patch:
        patch.setattr(boot, "unsettled", away)
        with pytest.raises(OperationalError):
            Monitor().run()
    with watching():
        until(lambda: fresh(container).status == Status.RUNNING)
        until(lambda: not boot.first_since_reboot())
    engine.boot_marker.unlink()


def test_forgotten_directories_go(engine: Layout, make: Make) -> None:
    kept = make(["true"])
    home = engine.container("x").parent
    fresh_one, old, debris = home / ("a" * 64), home / ("b" * 64), home / f"{REMOVED}{'c' * 64}"
    for directory in (fresh_one, old, debris):
        directory.mkdir()
    # Deeper than the interpreter's stack: a container makes such a tree, and its removal must not end the monitor.
    deep = debris
    for _ in range(1500):
        deep /= "d"
        deep.mkdir()
    long_ago = time.time() - 2 * boot.ORPHAN_SECONDS
    os.utime(old, (long_ago, long_ago))
    boot.remove_orphans()
    assert sorted(path.name for path in home.iterdir()) == sorted([kept.id, fresh_one.name])
    fresh_one.rmdir()


def test_sessions_that_ended_long_ago_are_forgotten(make: Make) -> None:
    container = make(["sleep", "100"])
    for number, (ended, created) in enumerate([(True, 1), (False, 1), (True, time.time_ns())]):
        fields = {"config": complete_exec({}), "running": not ended, "created": created}
        Exec.objects.create(id=f"{number:064x}", container=container, **fields)
    boot.forget_execs()
    assert {row.id[-1] for row in Exec.objects.all()} == {"1", "2"}


def test_a_new_worker_leaves_the_monitors_calls_alone(make: Make) -> None:
    """A stop with a long patience has left its worker; that one's death is none of its caller's business."""
    stopping, starting = make(["sleep", "100"]), make(["sleep", "100"])
    Waiter.objects.create(container=stopping, purpose=Waiter.Purpose.STOP, call_id="waits")
    starting.move((Status.CREATED,), Status.STARTING, claim="1:2:left")
    assert orphans._the_monitors() == frozenset({"waits", "left"})


def test_another_nodes_rows_are_left_alone(engine: Layout, make: Make) -> None:
    """Two hosts on one database: what the other one does looks unfinished or forgotten from here."""
    theirs, old = make(["sleep", "100"], AutoRemove=True), time.time_ns() - 2 * boot.EXEC_SECONDS * rfc3339.NANO
    Container.objects.filter(pk=theirs.id).update(node=Node.objects.create(name="elsewhere"))
    Exec.objects.create(id="a" * 64, container=theirs, config=complete_exec({}), running=True, created=old)
    Exec.objects.create(id="b" * 64, container=theirs, config=complete_exec({}), running=False, created=old)
    Waiter.objects.create(container=theirs, purpose=Waiter.Purpose.STOP, call_id="waits")
    for status in Status:
        Container.objects.filter(pk=theirs.id).update(status=status, claim="1:2:left", has_been_started=True)
        assert boot.unsettled() == boot.suspicious() == boot.overdue() == boot.left_to_remove() == []
        assert list(boot.due_after_reboot()) == []
        assert orphans._the_monitors() == frozenset()
    boot.catch_up_execs()
    boot.forget_execs()
    assert list(Exec.objects.values_list("running", flat=True).order_by("id")) == [True, False]
    directory = engine.container(theirs.id)
    os.utime(directory, (0, 0))
    boot.remove_orphans()
    assert not directory.exists(), "a directory of that name is no container's of this node"
