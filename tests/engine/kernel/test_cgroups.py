"""Cgroups of both versions: real ones where the kernel has them, directory trees of the same shape elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import SystemFailure
from engine.kernel.cgroups import Cgroup, Resources, Rule, Throttle, hierarchies, version

needs_v1 = pytest.mark.skipif(version() != 1, reason="this host has cgroup v2 only")


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    parent = f"/muelle-test-{os.getpid()}"
    cgroup = Cgroup(f"{parent}/one")
    cgroup.create()
    yield cgroup
    cgroup.delete()
    Cgroup(parent).delete()


def run_inside(cgroup: Cgroup, *command: str) -> subprocess.Popen[bytes]:
    """Start a program inside ``cgroup``."""
    script = "".join(f"echo 0 > {path}; " for path in cgroup.join_paths())
    return subprocess.Popen(["sh", "-c", f'{script} exec "$@"', "sh", *command], stdout=subprocess.PIPE)


def file_of(cgroup: Cgroup, controller: str, name: str) -> str:
    paths = cgroup.join_paths()  # in v2 one for all controllers
    directory = next((path for path in paths if f"/{controller}/" in path), paths[0])
    return Path(directory).with_name(name).read_text().strip()


@pytest.mark.kernel
def test_a_process_joins_and_the_cgroup_goes_when_it_has_ended(cgroup: Cgroup) -> None:
    process = run_inside(cgroup, "sleep", "60")
    try:
        wait_for(lambda: cgroup.pids() == [process.pid])
    finally:
        process.kill()
        process.communicate()
    cgroup.delete()
    assert cgroup.pids() == []
    cgroup.delete()


@pytest.mark.kernel
def test_deleting_a_busy_cgroup_fails_and_kills_nothing(cgroup: Cgroup) -> None:
    process = run_inside(cgroup, "sleep", "60")
    try:
        wait_for(lambda: cgroup.pids() == [process.pid])
        with pytest.raises(SystemFailure, match="busy"):
            cgroup.delete()
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


@pytest.mark.kernel
def test_cgroups_that_a_container_made_below_its_own_are_removed(cgroup: Cgroup) -> None:
    for path in cgroup.join_paths():
        Path(path).with_name("below").joinpath("deeper").mkdir(parents=True)
    cgroup.delete()
    assert not any(Path(path).parent.exists() for path in cgroup.join_paths())


@pytest.mark.kernel
def test_creating_again_forgets_the_limits_of_the_earlier_run(cgroup: Cgroup) -> None:
    cgroup.apply(Resources(pids_limit=7))
    cgroup.create()
    assert file_of(cgroup, "pids", "pids.max") == "max"


@pytest.mark.kernel
def test_freezing_stops_a_process(cgroup: Cgroup) -> None:
    process = run_inside(cgroup, "sh", "-c", "while :; do sleep 0.01; done")
    try:
        wait_for(lambda: process.pid in cgroup.pids())
        cgroup.freeze()
        before = Path(f"/proc/{process.pid}/stat").read_text().split()[13:15]
        time.sleep(0.1)
        assert Path(f"/proc/{process.pid}/stat").read_text().split()[13:15] == before
        cgroup.thaw()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
    finally:
        cgroup.thaw()
        process.kill()
        process.communicate()


@pytest.mark.kernel
@needs_v1
def test_limits_arrive_in_the_files_of_version_one(cgroup: Cgroup) -> None:
    cgroup.apply(
        Resources(
            memory=64 << 20, memory_swap=128 << 20, memory_reservation=32 << 20, cpu_period=50_000, cpu_quota=25_000,
            cpu_shares=512, cpuset_cpus="0", cpuset_mems="0", pids_limit=42,
        )
    )  # fmt: skip
    expected = {
        ("memory", "memory.limit_in_bytes"): str(64 << 20),
        ("memory", "memory.memsw.limit_in_bytes"): str(128 << 20),
        ("memory", "memory.soft_limit_in_bytes"): str(32 << 20),
        ("cpu", "cpu.cfs_period_us"): "50000",
        ("cpu", "cpu.cfs_quota_us"): "25000",
        ("cpu", "cpu.shares"): "512",
        ("cpuset", "cpuset.cpus"): "0",
        ("pids", "pids.max"): "42",
    }
    assert {place: file_of(cgroup, *place) for place in expected} == expected


@pytest.mark.kernel
@needs_v1
def test_memory_limits_grow_and_shrink_together(cgroup: Cgroup) -> None:
    for memory in (64 << 20, 256 << 20, 32 << 20):
        cgroup.update(Resources(memory=memory, memory_swap=2 * memory))
        assert file_of(cgroup, "memory", "memory.memsw.limit_in_bytes") == str(2 * memory)
    cgroup.update(Resources(memory=512 << 20, memory_swap=-1))
    assert file_of(cgroup, "memory", "memory.limit_in_bytes") == str(512 << 20)


@pytest.mark.kernel
def test_a_value_that_the_kernel_refuses_names_the_file(cgroup: Cgroup) -> None:
    with pytest.raises(SystemFailure, match=r'failed to write "4096": write /.*/cpuset\.cpus: '):
        cgroup.apply(Resources(cpuset_cpus="4096"))


@pytest.mark.kernel
def test_a_process_killed_for_want_of_memory_is_counted(cgroup: Cgroup) -> None:
    cgroup.apply(Resources(memory=8 << 20, memory_swap=8 << 20))
    assert cgroup.oom_kills() == 0
    process = run_inside(cgroup, "tail", "/dev/zero")
    assert process.wait(30) == -signal.SIGKILL
    process.communicate()
    assert cgroup.oom_kills() == 1


@pytest.mark.kernel
def test_the_limit_of_processes_holds(cgroup: Cgroup) -> None:
    cgroup.apply(Resources(pids_limit=1))
    process = run_inside(cgroup, "sh", "-c", "(echo forked) 2>/dev/null; exit 3")
    output, _ = process.communicate()
    assert b"forked" not in output


@pytest.mark.kernel
def test_only_allowed_devices_open(cgroup: Cgroup, tmp_path: Path) -> None:
    forbidden = tmp_path / "kmsg"
    os.mknod(forbidden, 0o020666, os.makedev(1, 11))
    cgroup.apply(Resources(devices=(Rule("c", None, None, "m"), Rule("c", 1, 3, "rwm"), Rule("c", 1, 5, "rwm"))))
    script = f"echo x > /dev/null && head -c1 /dev/zero >/dev/null && ! (: < {forbidden}) 2>/dev/null && echo right"
    assert run_inside(cgroup, "sh", "-c", script).communicate()[0] == b"right\n"


@pytest.mark.kernel
def test_without_rules_every_device_opens(cgroup: Cgroup, tmp_path: Path) -> None:
    node = tmp_path / "kmsg"
    os.mknod(node, 0o020666, os.makedev(1, 11))
    cgroup.apply(Resources(devices=None))
    assert run_inside(cgroup, "sh", "-c", f": < {node} && echo right").communicate()[0] == b"right\n"


V2_FILES = (
    "cgroup.procs", "cgroup.freeze", "cgroup.subtree_control", "memory.max", "memory.swap.max", "memory.low", "cpu.max",
    "cpu.weight", "cpuset.cpus", "cpuset.mems", "pids.max", "io.max", "io.weight",
)  # fmt: skip


def make_v2_tree(root: Path, *parts: str) -> Path:
    """Directories with the files of a v2 tree, except that making a directory does not fill it."""
    directory = root
    for part in ("", *parts):
        directory = directory / part
        directory.mkdir(exist_ok=True)
        for name in V2_FILES:
            (directory / name).touch()
        (directory / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    return directory


def test_limits_arrive_in_the_files_of_version_two(tmp_path: Path) -> None:
    directory = make_v2_tree(tmp_path, "muelle", "one")
    cgroup = Cgroup("/muelle/one", str(tmp_path))
    cgroup.update(
        Resources(
            memory=64 << 20, memory_swap=96 << 20, memory_reservation=1 << 20, cpu_quota=20_000, cpu_shares=1024,
            cpuset_cpus="0-1", pids_limit=-1, blkio_weight=1000, write_iops=(Throttle("8:0", 5),),
        )
    )  # fmt: skip
    written = {name: (directory / name).read_text() for name in V2_FILES}
    assert {name: text for name, text in written.items() if text} == {
        "memory.max": str(64 << 20),
        "memory.swap.max": str(32 << 20),
        "memory.low": str(1 << 20),
        "cpu.max": "20000 100000",
        "cpu.weight": "39",
        "cpuset.cpus": "0-1",
        "pids.max": "max",
        "io.weight": "default 10000",
        "io.max": "8:0 wiops=5",
    }
    assert cgroup.join_paths() == [f"{directory}/cgroup.procs"]


def test_version_two_hands_controllers_down_and_counts_kills(tmp_path: Path) -> None:
    make_v2_tree(tmp_path, "muelle")
    cgroup = Cgroup("/muelle/two", str(tmp_path))
    cgroup.create()
    assert (tmp_path / "cgroup.subtree_control").read_text().startswith("+")
    assert (tmp_path / "muelle" / "two").is_dir()
    (tmp_path / "muelle/two/memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert cgroup.oom_kills() == 2
    (tmp_path / "muelle/two/memory.events").unlink()
    cgroup.delete()
    assert not (tmp_path / "muelle" / "two").exists()


def test_version_one_leaves_no_hierarchy_out(tmp_path: Path) -> None:
    """In one without a directory of its own a container would be in the root, where the release agent is."""
    for name in ("memory", "net_cls,net_prio", "elogind", "unified"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "release_agent").touch()
    (tmp_path / "unified/release_agent").unlink()
    for name in ("net_cls", "net_prio"):
        (tmp_path / name).symlink_to("net_cls,net_prio")
    names = ("elogind", "memory", "net_cls,net_prio")
    assert Cgroup("/one", str(tmp_path)).join_paths() == [f"{tmp_path}/{name}/one/tasks" for name in names]
    assert sorted(hierarchies(str(tmp_path))) == [
        ("elogind", "cgroup", "none,name=elogind"),
        ("memory", "cgroup", "memory"),
        ("net_cls,net_prio", "cgroup", "net_cls,net_prio"),
    ]


def test_a_limit_without_its_controller_is_a_warning(tmp_path: Path) -> None:
    parent = make_v2_tree(tmp_path, "muelle")
    (parent / "memory.swap.max").unlink()
    wanted = Resources(memory=64 << 20, memory_swap=128 << 20)
    text = "Your kernel does not support swap limit capabilities or the cgroup is not mounted. "
    assert Cgroup("/muelle/one", str(tmp_path)).unsupported(wanted) == [text + "Memory limited without swap."]


def wait_for(condition: object, seconds: float = 10) -> None:
    """Wait for another process to get somewhere."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
