"""Containers from creation to removal, with the real kernel; the monitor's part is done when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db.models import QuerySet

from controlpanel.access.scope import Scope
from controlpanel.monitor.reconciler import Reconciler
from controlpanel.objects import events
from controlpanel.objects.models import Container, Endpoint, Network, Volume, Waiter
from controlpanel.objects.models.projects import DEFAULT
from controlpanel.objects.states import Status
from controlpanel.operations import networks, volumes
from controlpanel.operations.containers import pause, remove, settled, start, stop, top, update
from controlpanel.rpc import outcomes
from engine import rfc3339
from engine.containers import config, runtime
from engine.containers.config import Host
from engine.containers.config.objects import Resources, RestartPolicy
from engine.errors import Conflict, InvalidArgument, MuelleError, NotFound, SystemFailure
from engine.layout import Layout
from tests.controlpanel.operations.conftest import NODE, Make, actions, exists, fresh, until

pytestmark = pytest.mark.kernel


def named(name: str) -> Container:
    """Looked up as the web process does it; operations take whole IDs."""
    return Scope.of_engine().container(name, "containers.view")


def ended(layout: Layout, container: Container) -> None:
    """Until the shim has recorded the exit."""
    until(lambda: runtime.exit_of(layout, container.id))


def test_a_container_runs_and_its_end_is_recorded(
    engine: Layout, reconciler: Reconciler, make: Make, sent: list[events.Event]
) -> None:
    container = make(["sh", "-c", "echo hello; exit 3"], "web")
    assert start.start(container.id) == {"changed": True}
    ended(engine, container)
    assert fresh(container).status == Status.RUNNING
    reconciler.look(container.id)
    row = fresh(container)
    assert (row.status, row.exit_code, row.pid, row.error) == (Status.EXITED, 3, 0, "")
    assert rfc3339.parse(row.finished_at) >= rfc3339.parse(row.started_at)
    assert '"log":"hello\\n"' in engine.log(container.id).read_text()
    assert actions(sent) == [
        "container create",
        "network connect",
        "container start",
        "network disconnect",
        "container die",
    ]
    assert sent[-1].attributes["exitCode"] == "3"
    assert not Endpoint.objects.exists()


def test_starting_twice_changes_nothing(make: Make) -> None:
    container = make(["sleep", "100"])
    start.start(container.id)
    assert start.start(named(container.name).id) == {"changed": False}


def test_a_command_that_does_not_exist(engine: Layout, make: Make) -> None:
    container = make(["/nosuch"])
    with pytest.raises(InvalidArgument, match="no such file or directory"):
        start.start(container.id)
    row = fresh(container)
    assert (row.status, row.exit_code, row.claim) == (Status.CREATED, 127, "")
    assert "no such file" in row.error
    assert not Endpoint.objects.exists()
    assert runtime.cgroup(engine, container.id).pids() == []


def test_stop_leaves_its_answer_to_the_monitor(
    engine: Layout, reconciler: Reconciler, make: Make, sent: list[events.Event]
) -> None:
    container = make(["sleep", "100"])
    start.start(container.id)
    stop.stop(container.id, timeout=0)
    assert Waiter.objects.get().purpose == "stop"
    ended(engine, container)
    reconciler.look(container.id)
    row = fresh(container)
    assert (row.status, row.exit_code, row.manually_stopped) == (Status.EXITED, 137, True)
    assert not Waiter.objects.exists()
    assert actions(sent)[-5:] == [
        "container kill",
        "container kill",
        "network disconnect",
        "container die",
        "container stop",
    ]
    assert [event.attributes["signal"] for event in sent[-5:-3]] == ["15", "9"]
    assert stop.stop(container.id) == {"changed": False}


def test_restart_starts_anew(engine: Layout, reconciler: Reconciler, make: Make, sent: list[events.Event]) -> None:
    container = make(["sleep", "100"])
    start.start(container.id)
    first = fresh(container).pid
    stop.restart(container.id, timeout=0)
    ended(engine, container)
    reconciler.look(container.id)
    row = fresh(container)
    assert row.status == Status.RUNNING
    assert row.pid != first
    assert actions(sent)[-4:] == ["container stop", "network connect", "container start", "container restart"]


def test_signals(engine: Layout, reconciler: Reconciler, make: Make) -> None:
    container = make(["sh", "-c", "trap 'exit 5' USR1; while :; do sleep 0.05; done"])
    start.start(container.id)
    with pytest.raises(InvalidArgument, match=r"^invalid signal: NOPE$"):
        stop.kill(container.id, signal="NOPE")
    until(lambda: stop.kill(container.id, signal="USR1") and runtime.exit_of(engine, container.id))
    reconciler.look(container.id)
    assert fresh(container).exit_code in {5, 138}
    with pytest.raises(Conflict, match=f"^container {container.id} is not running$"):
        stop.kill(container.id)


def test_pause_and_unpause(engine: Layout, make: Make) -> None:
    container = make(["sleep", "100"])
    with pytest.raises(Conflict, match=r"is not running$"):
        pause.pause(container.id)
    start.start(container.id)
    pause.pause(container.id)
    with pytest.raises(Conflict, match=r"is already paused$"):
        pause.pause(container.id)
    with pytest.raises(Conflict, match=r"^cannot start a paused container, try unpause instead$"):
        start.start(container.id)
    pause.unpause(container.id)
    with pytest.raises(SystemFailure, match=r"is not paused$"):
        pause.unpause(container.id)
    assert fresh(container).status == Status.RUNNING


def test_a_paused_container_can_be_stopped(engine: Layout, reconciler: Reconciler, make: Make) -> None:
    container = make(["sleep", "100"])
    start.start(container.id)
    pause.pause(container.id)
    stop.stop(container.id, timeout=0)
    ended(engine, container)
    reconciler.look(container.id)
    assert fresh(container).status == Status.EXITED


def test_removal_takes_everything_away(engine: Layout, reconciler: Reconciler, make: Make) -> None:
    container = make(["sleep", "100"], "web")
    start.start(container.id)
    with pytest.raises(Conflict, match=r"stop the container before removing or force remove$"):
        remove.remove(named("web").id)
    remove.remove(named("web").id, force=True)
    ended(engine, container)
    reconciler.look(container.id)
    assert not exists(container.id)
    assert not engine.container(container.id).exists()
    assert not engine.shim_socket(container.id).exists()
    with pytest.raises(NotFound, match=r"^No such container: web$"):
        named("web")
    with pytest.raises(NotFound, match=f"^No such container: {container.id}$"):
        remove.remove(container.id)


def test_rm_containers_go_by_themselves(engine: Layout, reconciler: Reconciler, make: Make) -> None:
    container = make(["true"], AutoRemove=True)
    reconciler.look(container.id)
    assert exists(container.id), "it has not run yet"
    start.start(container.id)
    ended(engine, container)
    reconciler.look(container.id)
    assert not exists(container.id)
    failed = make(["/nosuch"], AutoRemove=True)
    with pytest.raises(MuelleError):
        start.start(failed.id)
    reconciler.look(failed.id)
    assert not exists(failed.id)


def test_a_name_is_given_once(make: Make) -> None:
    first = make(["true"], "web")
    with pytest.raises(Conflict, match=f'"/web" is already in use by container "{first.id}"'):
        make(["true"], "web")
    other = make(["true"], "db")
    with pytest.raises(Conflict, match=r"^Error when allocating new name: Conflict"):
        update.rename(named("db").id, name="web")
    update.rename(named("db").id, name="cache")
    assert fresh(other).name == "cache"
    with pytest.raises(InvalidArgument, match=r"^Renaming a container with the same name"):
        update.rename(named("cache").id, name="/cache")


def test_a_failed_creation_leaves_nothing(engine: Layout, make: Make) -> None:
    before = sorted(engine.container("x").parent.iterdir())
    with pytest.raises(InvalidArgument, match="bind source path does not exist: /nosuch"):
        make(
            ["true"],
            Mounts=[
                {"Type": "volume", "Source": "data", "Target": "/data"},
                {"Type": "bind", "Source": "/nosuch", "Target": "/x"},
            ],
        )
    assert not Container.objects.exists()
    assert not Volume.objects.exists()
    assert not engine.volume("data").exists()
    assert sorted(engine.container("x").parent.iterdir()) == before


def test_volumes_are_made_filled_and_go_with_their_container(
    engine: Layout, reconciler: Reconciler, make: Make, sent: list[events.Event]
) -> None:
    container = make(["cat", "/etc/passwd"], config={"Volumes": {"/etc": {}}}, Binds=["data:/data"], AutoRemove=True)
    anonymous = Volume.objects.get(anonymous=True)
    assert (engine.volume(anonymous.name) / "passwd").exists(), "the image's content is copied at creation"
    start.start(container.id)
    ended(engine, container)
    reconciler.look(container.id)
    assert "root:x:0:0" not in str(sent)
    assert list(Volume.objects.values_list("name", flat=True)) == ["data"]
    assert not engine.volume(anonymous.name).exists()
    assert actions(sent).count("volume mount") == 2
    assert actions(sent).count("volume unmount") == 2


def test_a_missing_bind_source_is_made(tmp_path: Any, make: Make) -> None:
    make(["true"], Binds=[f"{tmp_path}/new/dir:/x"])
    assert (tmp_path / "new" / "dir").is_dir()


def test_addresses_differ_and_come_back_late(engine: Layout, reconciler: Reconciler, make: Make) -> None:
    running = [make(["sleep", "100"]) for _ in range(3)]
    for container in running:
        start.start(container.id)
    seats = [container.endpoints.get() for container in running]
    assert len({seat.ip for seat in seats}) == 3
    remove.remove(running[0].id, force=True)
    ended(engine, running[0])
    reconciler.look(running[0].id)
    late = make(["sleep", "100"])
    start.start(late.id)
    assert late.endpoints.get().ip not in {seat.ip for seat in seats}
    assert Network.objects.get(name="bridge").subnet


def test_published_ports_and_their_clash(engine: Layout, make: Make) -> None:
    first = make(["sleep", "100"], PortBindings={"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]})
    start.start(first.id)
    (port,) = networks.mappings(first.endpoints.get())
    assert port.host_port > 0
    second = make(["sleep", "100"], PortBindings={"80/tcp": [{"HostIp": "", "HostPort": str(port.host_port)}]})
    with pytest.raises(SystemFailure, match=f":{port.host_port} failed: port is already allocated$"):
        start.start(second.id)
    assert fresh(second).status == Status.CREATED
    assert not second.endpoints.exists()


def test_without_a_network(engine: Layout, reconciler: Reconciler, make: Make) -> None:
    container = make(["sh", "-c", "ls /sys/class/net; cat /etc/hostname"], NetworkMode="none")
    start.start(container.id)
    ended(engine, container)
    log = engine.log(container.id).read_text()
    assert '"log":"lo\\n"' in log
    assert "eth0" not in log
    assert container.short_id in log


def asked(**fields: int) -> Resources:
    resources, _policy, _warnings = config.decode_update(fields, Host(2, cgroup_v2=False))
    return resources


def test_limits_change_while_it_runs(engine: Layout, make: Make) -> None:
    container = make(["sleep", "100"])
    start.start(container.id)
    update.update(container.id, resources=asked(Memory=64 << 20, MemorySwap=128 << 20, PidsLimit=-1))
    assert fresh(container).host_config["PidsLimit"] == 0, "as Docker shows what is unlimited"
    with pytest.raises(Conflict, match="Restart policy cannot be updated because AutoRemove is enabled"):
        update.update(make(["true"], AutoRemove=True).id, asked(), RestartPolicy(Name="always", MaximumRetryCount=0))
    assert fresh(container).host_config["Memory"] == 64 << 20
    with pytest.raises(InvalidArgument, match="Memory limit should be smaller than already set memoryswap limit"):
        update.update(container.id, resources=asked(Memory=256 << 20))


def test_of_two_updates_at_once_none_is_lost(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    container, look = make(["true"]), settled.container

    def overtaken(container_id: str) -> Container:
        found = look(container_id)
        monkeypatch.setattr(settled, "container", look)
        update.update(container_id, resources=asked(Memory=64 << 20))
        return found

    monkeypatch.setattr(settled, "container", overtaken)
    update.update(container.id, resources=asked(CpuShares=512))
    host_config = fresh(container).host_config
    assert (host_config["Memory"], host_config["CpuShares"]) == (64 << 20, 512)


def test_what_has_just_gone_is_neither_renamed_nor_changed(
    engine: Layout, make: Make, sent: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    container = make(["true"], "web")
    remove.remove(container.id)
    sent.clear()
    monkeypatch.setattr(settled, "row", lambda _: container)  # read before that
    with pytest.raises(NotFound, match=f"^No such container: {container.id}$"):
        update.rename(container.id, name="db")
    with pytest.raises(NotFound, match=f"^No such container: {container.id}$"):
        update.update(container.id, resources=asked(CpuShares=512))
    assert sent == []


@pytest.mark.parametrize(
    "verb",
    [start.start, stop.stop, stop.kill, stop.restart, pause.pause, remove.remove, partial(top.top, ps_args="-ef")],
)
def test_a_missing_container_is_said_to_be_missing(engine: Layout, verb: Callable[..., object]) -> None:
    with pytest.raises(NotFound, match=r"^No such container: nosuch$"):
        verb("nosuch")


def test_a_call_that_comes_during_a_removal_is_answered(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row comes after the others were served, and would go unseen with the container's."""
    delivered: dict[str, Any] = {}
    monkeypatch.setattr(outcomes, "deliver", delivered.__setitem__)
    container = make(["sleep", "100"])
    assert container.move((Status.CREATED,), Status.REMOVING)
    for purpose in (Waiter.Purpose.REMOVE, Waiter.Purpose.RESTART):
        Waiter.objects.create(container=container, purpose=purpose, call_id=purpose.value)
    remove.purge(container)
    assert delivered["remove"] == {"value": {"changed": True}}
    assert delivered["restart"]["error"]["kind"] == "NotFound"


def test_rows_are_held_before_they_are_removed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL has many writers: a row that gains a reference after it was looked at cannot be deleted."""
    held: list[str] = []
    lock = QuerySet.select_for_update

    def noting(rows: QuerySet[Any], *arguments: Any, **options: Any) -> QuerySet[Any]:
        held.append(rows.model.__name__)
        return lock(rows, *arguments, **options)

    monkeypatch.setattr(QuerySet, "select_for_update", noting)
    container = make(["true"], config={"Volumes": {"/data": {}}})
    directory, needed = held[:1], held[1:]
    assert directory == ["Volume"], "its removal must wait until there is a directory to remove"
    assert needed == ["Image", "Volume"], "their removal must wait for a container that needs them"
    remove.remove(container.id, volumes=True)
    assert held[3:] == ["Volume", "Container"]
    assert not Volume.objects.exists()


def test_waiting_for_a_container_that_has_just_gone_is_a_404(engine: Layout, make: Make) -> None:
    container = make(["sleep", "100"])
    runtime.delete(engine, container.id)
    Container.objects.filter(pk=container.pk).delete()
    with pytest.raises(NotFound, match=f"No such container: {container.id}"):
        stop.enlist(container, Waiter.Purpose.REMOVE, {})


def test_resuming_what_has_just_gone_changes_nothing(engine: Layout, make: Make) -> None:
    container = make(["sleep", "100"])
    runtime.delete(engine, container.id)
    Container.objects.filter(pk=container.pk).delete()
    assert not pause.resume(container)


def test_a_volume_whose_maker_has_only_got_to_the_row(engine: Layout) -> None:
    row = Volume.objects.create(
        node_id=NODE, project_id=DEFAULT, name="young", driver="local", created_at=rfc3339.now()
    )
    assert volumes.create(DEFAULT, "young", "local", {}, {}) == "young"
    assert engine.volume(row.name).is_dir()
    volumes.remove(row.pk)
    assert not engine.volume(row.name).exists()
