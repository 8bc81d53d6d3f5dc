"""The monitor: what it finds on disk becomes the database's truth, whatever died meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper

from controlpanel.monitor import boot, loop
from controlpanel.monitor.loop import Monitor
from controlpanel.monitor.reconciler import Reconciler
from controlpanel.objects import events
from controlpanel.objects.models import Container, Volume, Waiter
from controlpanel.objects.states import Status
from controlpanel.operations import claims, networks
from controlpanel.operations.containers import remove, start, stop
from controlpanel.rpc import outcomes
from engine.containers import runtime
from engine.kernel.processes import start_time
from engine.layout import Layout
from engine.networks import ports
from tests.controlpanel.operations.conftest import Make, exists, fail_to_commit, fresh, until, watching

pytestmark = pytest.mark.kernel


@pytest.fixture
def dead_mover() -> str:
    with subprocess.Popen(["sleep", "100"]) as process:
        claim = f"{process.pid}:{start_time(process.pid)}:"
        process.kill()
    return claim


def test_an_end_is_noticed(monitor: Monitor, make: Make) -> None:
    container = make(["sh", "-c", "exit 4"])
    start.start(container.id)
    until(lambda: fresh(container).status == Status.EXITED)
    assert fresh(container).exit_code == 4


def _has_ended(container: Container) -> bool:
    return fresh(container).status == Status.EXITED


def test_a_short_run_starts_before_it_dies(
    monitor: Monitor, make: Make, sent: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is known before the worker has published the start."""
    publish = events.publish_all

    def slowly(happened: list[events.Event]) -> None:
        time.sleep(0.05 if any(event.action == "start" for event in happened) else 0)
        publish(happened)

    monkeypatch.setattr(events, "publish_all", slowly)
    for _ in range(5):
        container = make(["true"])
        start.start(container.id)
        until(partial(_has_ended, container))
    until(lambda: [event.action for event in sent].count("die") == 5)  # told after it is written
    order = [event.action for event in sent if event.action in ("start", "die")]
    assert order == ["start", "die"] * 5


def test_patrols_go_on_after_one_that_failed(engine: Layout, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that was away for a moment; the notice of the end is lost with it."""
    suspicious, overdue = boot.suspicious, boot.overdue
    failed: list[Callable[[], list[str]]] = []

    def away(once: Callable[[], list[str]]) -> list[str]:
        if once not in failed:
            failed.append(once)
            raise OperationalError("server closed the connection unexpectedly")
        return once()

    monkeypatch.setattr(boot, "suspicious", partial(away, suspicious))
    monkeypatch.setattr(boot, "overdue", partial(away, overdue))
    monkeypatch.setattr(loop, "RESYNC_SECONDS", 0.05)
    monkeypatch.setattr(loop, "OVERDUE_SECONDS", 0.05)
    monkeypatch.setattr(loop.Monitor, "_read_notices", lambda monitor: monitor._notices.recv(loop.MAX_NOTICE))
    with watching():
        container = make(["true"])
        start.start(container.id)
        until(lambda: fresh(container).status == Status.EXITED)
    assert len(failed) == 2


def test_a_shim_that_listens_no_more_has_yet_to_record(engine: Layout, reconciler: Reconciler, make: Make) -> None:
    """The monitor may look at any time, for instance between these two."""
    container = make(["sh", "-c", "exit 3"])
    start.start(container.id)
    until(lambda: runtime.exit_of(engine, container.id))
    record = engine.container(container.id) / "exit.json"
    text = record.read_text()
    record.unlink()
    with subprocess.Popen(["sleep", "100"]) as shim:
        state = engine.container(container.id) / "state.json"
        named = {"shim_pid": shim.pid, "shim_start_time": start_time(shim.pid)}
        state.write_text(json.dumps(json.loads(state.read_text()) | named))
        writer = threading.Timer(0.2, record.write_text, [text])
        writer.start()
        reconciler.look(container.id)
        shim.kill()
    assert (fresh(container).status, fresh(container).exit_code) == (Status.EXITED, 3)


def test_restart_policies(monitor: Monitor, make: Make) -> None:
    failing = make(["sh", "-c", "exit 1"], RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 2})
    start.start(failing.id)
    until(lambda: (row := fresh(failing)).status == Status.EXITED and row.restart_count == 2)
    lasting = make(["sleep", "100"], RestartPolicy={"Name": "unless-stopped"})
    start.start(lasting.id)
    first = fresh(lasting).pid
    os.kill(first, signal.SIGKILL)
    until(lambda: (row := fresh(lasting)).status == Status.RUNNING and row.pid != first)
    stop.stop(lasting.id, timeout=0)
    until(lambda: fresh(lasting).status == Status.EXITED)


def test_a_container_between_two_runs_can_be_stopped(reconciler: Reconciler, engine: Layout, make: Make) -> None:
    container = make(["sh", "-c", "exit 1"], RestartPolicy={"Name": "always"})
    start.start(container.id)
    until(lambda: runtime.exit_of(engine, container.id))
    reconciler.look(container.id)
    assert fresh(container).status == Status.RESTARTING
    assert start.start(container.id) == {"changed": False}
    assert stop.stop(container.id) == {"changed": True}
    reconciler.restart(container.id)
    assert fresh(container).status == Status.EXITED


def test_what_ended_while_nobody_watched_is_found(engine: Layout, make: Make, sent: list[object]) -> None:
    """Everything below happens before the monitor starts."""
    container = make(["sh", "-c", "exit 6"])
    gone = make(["true"], AutoRemove=True)
    again = make(["sh", "-c", "exit 1"], RestartPolicy={"Name": "always"})
    for each in (container, gone, again):
        start.start(each.id)
        until(lambda each=each: runtime.exit_of(engine, each.id))  # type: ignore[misc]
    monitor = Reconciler(lambda _seconds, _work: None)
    for container_id in boot.unsettled():
        monitor.look(container_id)
    assert (fresh(container).status, fresh(container).exit_code) == (Status.EXITED, 6)
    assert not exists(gone.id)
    assert fresh(again).status == Status.RESTARTING


def test_a_start_whose_worker_died_before_it_ran(reconciler: Reconciler, make: Make, dead_mover: str) -> None:
    container = make(["sleep", "100"])
    container.move((Status.CREATED,), Status.STARTING, claim=dead_mover)
    assert container.id in boot.suspicious()
    reconciler.look(container.id)
    row = fresh(container)
    assert (row.status, row.claim) == (Status.CREATED, "")
    assert "died" in row.error


def test_a_start_whose_worker_died_after_it_ran(reconciler: Reconciler, make: Make, dead_mover: str) -> None:
    container = make(["sleep", "100"])
    start.start(container.id)
    left = {"status": Status.STARTING, "claim": dead_mover, "pid": 0, "exit_code": 137, "oom_killed": True}
    Container.objects.filter(pk=container.pk).update(**left)
    reconciler.look(container.id)
    row = fresh(container)
    assert row.status == Status.RUNNING
    assert row.pid > 0
    assert (row.exit_code, row.oom_killed) == (0, False), "of the run before"


def test_a_restart_whose_monitor_died_is_over_once_it_runs(
    reconciler: Reconciler, make: Make, dead_mover: str, sent: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the next stop would start it again."""
    told: dict[str, object] = {}
    monkeypatch.setattr(outcomes, "deliver", told.__setitem__)
    container = make(["sleep", "100"])
    start.start(container.id)
    Waiter.objects.create(container=container, purpose=Waiter.Purpose.RESTART, call_id="restart")
    Container.objects.filter(pk=container.pk).update(status=Status.STARTING, claim=dead_mover, pid=0)
    reconciler.look(container.id)
    assert fresh(container).status == Status.RUNNING
    assert told["restart"] == {"value": {"changed": True}}
    assert not Waiter.objects.exists()
    assert sent[-1].action == "restart"


def test_what_a_dead_worker_published_is_found_or_taken_back(
    engine: Layout, reconciler: Reconciler, make: Make, dead_mover: str
) -> None:
    """It may have died before it wrote down which port was chosen."""
    wish = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
    ran = make(["sleep", "100"], PortBindings=wish)
    start.start(ran.id)
    (chosen,) = ran.endpoints.get().ports
    ran.endpoints.update(ports=[])
    Container.objects.filter(pk=ran.pk).update(status=Status.STARTING, claim=dead_mover, pid=0)
    reconciler.look(ran.id)
    assert ran.endpoints.get().ports == [chosen]

    never_ran = make(["sleep", "100"], PortBindings=wish)
    never_ran.move((Status.CREATED,), Status.STARTING, claim=dead_mover)
    (row,) = networks.reserve(never_ran)
    (plan,) = networks.plans_of(never_ran, [row])
    assert ports.publish(engine, plan.ip, plan.ports)
    reconciler.look(never_ran.id)
    assert ports.published(engine, plan.ip) == []
    assert not never_ran.endpoints.exists()


def test_ports_come_back_after_the_firewall_was_lost(engine: Layout, make: Make) -> None:
    first, second = (make(["sleep", "100"], PortBindings={"80/tcp": [{"HostPort": ""}]}) for _ in range(2))
    start.start(first.id)
    before = ports.published(engine, first.endpoints.get().ip)
    subprocess.run(["nft", "delete", "table", "ip", engine.firewall_table], check=True)
    start.start(second.id)
    assert ports.published(engine, first.endpoints.get().ip) == before
    assert len(ports.published(engine, second.endpoints.get().ip)) == 1


class Outage:
    """Every statement fails for a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._execute, self._monkeypatch = CursorWrapper.execute, monkeypatch

    def begin(self, *_: object) -> None:
        self._monkeypatch.setattr(CursorWrapper, "execute", self._fail)
        self._fail()

    def end(self) -> None:
        self._monkeypatch.setattr(CursorWrapper, "execute", self._execute)

    @staticmethod
    def _fail(*_: object) -> None:
        raise OperationalError("server closed the connection unexpectedly")


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Outage:
    monkeypatch.setattr(claims, "RETRY_SECONDS", 0.02)
    return Outage(monkeypatch)


def test_a_start_that_the_database_left_is_undone(
    reconciler: Reconciler, make: Make, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker lives on, and its container would be starting for as long."""
    container = make(["sleep", "100"])
    monkeypatch.setattr(start, "record", outage.begin)
    with pytest.raises(OperationalError):
        start.start(container.id)
    outage.end()
    until(lambda: container.id in boot.suspicious())
    reconciler.look(container.id)
    assert fresh(container).status == Status.CREATED


def test_a_removal_that_the_database_left_is_finished(
    reconciler: Reconciler, make: Make, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = make(["true"])
    monkeypatch.setattr(runtime, "release", outage.begin)
    with pytest.raises(OperationalError):
        remove.remove(container.id)
    outage.end()
    monkeypatch.undo()
    until(lambda: container.id in boot.suspicious())
    reconciler.look(container.id)
    assert not exists(container.id)


def test_a_removal_whose_commit_failed_is_finished(
    reconciler: Reconciler, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "RETRY_SECONDS", 0.02)
    container = make(["true"])
    fail_to_commit(monkeypatch)
    with pytest.raises(OperationalError):
        remove.remove(container.id)
    until(lambda: container.id in boot.suspicious())
    reconciler.look(container.id)
    assert not exists(container.id)


def test_a_start_under_way_is_left_alone(reconciler: Reconciler, make: Make) -> None:
    container = make(["sleep", "100"])
    container.move((Status.CREATED,), Status.STARTING, claim=claims.mine())
    assert container.id not in boot.suspicious()
    reconciler.look(container.id)
    assert fresh(container).status == Status.STARTING


def test_a_removal_whose_worker_died_is_finished(
    engine: Layout, reconciler: Reconciler, make: Make, dead_mover: str
) -> None:
    container = make(["true"])
    container.move((Status.CREATED,), Status.REMOVING, claim=dead_mover)
    reconciler.look(container.id)
    assert not exists(container.id)
    assert not engine.container(container.id).exists()


@pytest.mark.parametrize("volumes", [True, False])
def test_a_removal_left_half_done_ends_as_it_was_asked_for(
    engine: Layout,
    reconciler: Reconciler,
    make: Make,
    outage: Outage,
    volumes: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever finishes it reads in the row whether the anonymous volumes go along."""
    container = make(["true"], config={"Volumes": {"/data": {}}})
    directory = engine.volume(Volume.objects.get(anonymous=True).name)
    with monkeypatch.context() as patch:
        patch.setattr(runtime, "release", outage.begin)
        with pytest.raises(OperationalError):
            remove.remove(container.id, volumes=volumes)
    outage.end()
    until(lambda: not claims.is_alive(fresh(container).claim))
    assert (fresh(container).status, fresh(container).removes_volumes) == (Status.REMOVING, volumes)
    assert container.id in boot.suspicious()
    reconciler.look(container.id)
    assert not exists(container.id)
    assert Volume.objects.exists() is not volumes
    assert directory.parent.exists() is not volumes


def test_a_wish_that_found_no_shim_reaches_the_next_run(engine: Layout, reconciler: Reconciler, make: Make) -> None:
    container = make(["sleep", "100"])
    start.start(container.id)
    Waiter.objects.create(
        container=container, purpose="stop", arguments={"signal": 9, "timeout": 1, "undelivered": True}
    )
    reconciler.look(container.id)
    until(lambda: runtime.exit_of(engine, container.id))
    reconciler.look(container.id)
    assert not Waiter.objects.exists()


def test_a_policy_outlives_an_absent_launcher(engine: Layout, make: Make) -> None:
    container = make(["sh", "-c", "sleep 100"], RestartPolicy={"Name": "always"})
    start.start(container.id)
    os.kill(fresh(container).pid, signal.SIGKILL)
    until(lambda: runtime.exit_of(engine, container.id))
    asked: list[Callable[[], None]] = []
    reconciler = Reconciler(lambda _seconds, work: asked.append(work))
    reconciler.look(container.id)
    # Its name is gone as if it had died; another run directory would be another installation, with a bridge of its own.
    aside = engine.launcher_socket.rename(engine.launcher_socket.with_suffix(".aside"))
    time.sleep(0.2)
    planned = len(asked)
    reconciler.restart(container.id)
    assert fresh(container).status == Status.RESTARTING
    assert len(asked) == planned, "one chain of retries: the look at what is overdue"
    aside.rename(engine.launcher_socket)
    until(lambda: container.id in boot.overdue())
    reconciler.look(container.id)
    asked[-1]()
    assert fresh(container).status == Status.RUNNING
