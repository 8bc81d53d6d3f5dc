"""Samples of real cgroups, and of directory trees with the files of either version."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers import stats
from engine.errors import NotFound
from engine.kernel.cgroups import Cgroup, Resources


@pytest.fixture
def busy_cgroup() -> Iterator[str]:
    """A cgroup in which a process has worked and one still is."""
    parent = f"/muelle-test-{os.getpid()}"
    path = f"{parent}/one"
    cgroup = Cgroup(path)
    cgroup.create()
    cgroup.apply(Resources(memory=64 << 20, pids_limit=50))
    script = "".join(f"echo 0 > {each}; " for each in cgroup.join_paths())
    command = f"{script} seq 1 200000 >/dev/null; echo ready; read line"
    process = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield path
    process.communicate(b"\n")
    cgroup.delete()
    Cgroup(parent).delete()


@pytest.mark.kernel
def test_a_sample_of_a_busy_cgroup(busy_cgroup: str) -> None:
    sample = stats.read(busy_cgroup, {"eth0": "lo"})
    assert sample["pids_stats"] == {"current": 1, "limit": 50}
    assert sample["memory_stats"]["limit"] == 64 << 20
    assert 0 < sample["memory_stats"]["usage"] < 64 << 20
    assert 0 < sample["cpu_stats"]["cpu_usage"]["total_usage"] < sample["cpu_stats"]["system_cpu_usage"]
    assert sample["cpu_stats"]["online_cpus"] == os.cpu_count()
    loopback = Path("/sys/class/net/lo/statistics")
    assert sample["networks"]["eth0"]["rx_bytes"] <= int((loopback / "tx_bytes").read_text())
    assert set(sample["networks"]["eth0"]) == {
        f"{way}_{what}" for way in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped")
    }


def test_a_cgroup_that_is_gone_is_not_found() -> None:
    with pytest.raises(NotFound):
        stats.read("/muelle-test-none/one")


def test_a_document_holds_the_sample_before(tmp_path: Path) -> None:
    make_tree(tmp_path)
    first, second = stats.read("/one", root=str(tmp_path)), stats.read("/one", root=str(tmp_path))
    assert stats.document("id", "name", first, None)["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    reply = stats.document("id", "name", second, first)
    assert (reply["name"], reply["preread"], reply["precpu_stats"]) == ("/name", first["read"], first["cpu_stats"])
    assert stats.stopped("id", "name").keys() == reply.keys()


def make_tree(root: Path) -> None:
    directory = root / "one"
    directory.mkdir()
    (root / "cgroup.controllers").touch()
    for name, text in {
        "cgroup.procs": "",
        "cpu.stat": "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 4\nnr_throttled 2\nthrottled_usec 7\n",
        "memory.current": "4096\n",
        "memory.max": "max\n",
        "memory.stat": "anon 1\ninactive_file 2\n",
        "memory.events": "low 0\noom 3\noom_kill 1\n",
        "pids.current": "2\n",
        "pids.max": "max\n",
        "io.stat": "8:0 rbytes=5 wbytes=6 rios=1 wios=1 dbytes=0 dios=0\n8:16 \n",
    }.items():
        (directory / name).write_text(text)


def test_version_two(tmp_path: Path) -> None:
    make_tree(tmp_path)
    sample = stats.read("/one", root=str(tmp_path))
    assert sample["cpu_stats"]["cpu_usage"] == {
        "total_usage": 30_000, "usage_in_kernelmode": 10_000, "usage_in_usermode": 20_000,
    }  # fmt: skip
    assert sample["cpu_stats"]["throttling_data"] == {"periods": 4, "throttled_periods": 2, "throttled_time": 7_000}
    memory = sample["memory_stats"]
    assert (memory["usage"], memory["failcnt"], memory["stats"]) == (4096, 3, {"anon": 1, "inactive_file": 2})
    assert memory["limit"] > 4096
    assert sample["pids_stats"] == {"current": 2}
    assert sample["blkio_stats"]["io_service_bytes_recursive"] == [
        {"major": 8, "minor": 0, "op": "read", "value": 5},
        {"major": 8, "minor": 0, "op": "write", "value": 6},
    ]


def test_version_one(tmp_path: Path) -> None:
    for place, text in {
        "memory/one/memory.usage_in_bytes": "4096\n",
        "memory/one/memory.limit_in_bytes": "9223372036854771712\n",
        "memory/one/memory.stat": "cache 1\ntotal_inactive_file 2\n",
        "cpuacct/one/cpuacct.usage": "31\n",
        "cpuacct/one/cpuacct.usage_percpu": "30 1\n",
        "cpuacct/one/cpuacct.stat": "user 2\nsystem 1\n",
        "cpu/one/cpu.stat": "nr_periods 4\nnr_throttled 2\nthrottled_time 7\n",
        "pids/one/pids.current": "1\n",
        "blkio/one/blkio.bfq.io_service_bytes_recursive": "Total 0\n",
        "blkio/one/blkio.throttle.io_service_bytes_recursive": "8:0 Read 5\n8:0 Total 5\nTotal 5\n",
    }.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
    sample = stats.read("/one", root=str(tmp_path))
    assert sample["cpu_stats"]["cpu_usage"]["percpu_usage"] == [30, 1]
    assert sample["cpu_stats"]["throttling_data"] == {"periods": 4, "throttled_periods": 2, "throttled_time": 7}
    assert sample["memory_stats"]["limit"] < 9223372036854771712
    assert sample["blkio_stats"]["io_service_bytes_recursive"] == [
        {"major": 8, "minor": 0, "op": "Read", "value": 5},
        {"major": 8, "minor": 0, "op": "Total", "value": 5},
    ]


@given(
    st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999), st.sampled_from(["Read", "Write"]), st.integers(0)))
)
def test_operations_read_what_the_kernel_writes(rows: list[tuple[int, int, str, int]]) -> None:
    text = "".join(f"{major}:{minor} {operation} {value}\n" for major, minor, operation, value in rows) + "Total 1\n"
    found = [(each["major"], each["minor"], each["op"], each["value"]) for each in stats._operations(text)]
    assert found == rows
