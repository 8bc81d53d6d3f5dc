"""What a sampler reads: real cgroups, trees with the files of either version, and the process that does it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers import counters, stats
from engine.containers.counters import Counters, Reader
from engine.kernel.cgroups import Cgroup, Resources
from tests.engine.containers.test_stats import make_tree
from tests.support.installation import CHECKOUT

PARENT = f"/muelle-test-{os.getpid()}"
KEYS = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1)


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    """The cgroup of a container named ``one``."""
    group = Cgroup(f"{PARENT}/one")
    group.create()
    group.apply(Resources(memory=64 << 20))
    yield group
    group.delete()
    Cgroup(PARENT).delete()


@pytest.fixture
def reader() -> Iterator[Reader]:
    made = Reader(PARENT, 100)
    yield made
    made.close()


def _work_in(group: Cgroup) -> None:
    script = "".join(f"echo 0 > {each}; " for each in group.join_paths())
    subprocess.run(["sh", "-c", f"{script} seq 1 200000 >/dev/null"], check=True)


@pytest.mark.kernel
def test_counters_agree_with_dockers_sample(cgroup: Cgroup, reader: Reader) -> None:
    _work_in(cgroup)
    first = reader.read({"one": ["lo"]})["one"]
    sample = stats.read(f"{PARENT}/one", {"eth0": "lo"})
    assert 0 < first.cpu <= sample["cpu_stats"]["cpu_usage"]["total_usage"]
    assert first.limit == sample["memory_stats"]["limit"] == 64 << 20
    assert 0 < first.sent <= sample["networks"]["eth0"]["tx_bytes"]
    assert 0 < first.received <= sample["networks"]["eth0"]["rx_bytes"]
    assert first.processes == 0
    assert 0 <= first.memory <= sample["memory_stats"]["usage"]
    _work_in(cgroup)
    assert reader.read({"one": []})["one"].cpu > first.cpu


@pytest.mark.kernel
def test_a_container_that_was_started_again_is_read_anew(cgroup: Cgroup, reader: Reader) -> None:
    _work_in(cgroup)
    before = reader.read({"one": []})["one"]
    cgroup.delete()
    assert reader.read({"one": [], "two": []}) == {}
    cgroup.create()
    assert reader.read({"one": []})["one"].cpu < before.cpu


@pytest.mark.kernel
def test_a_new_cgroup_between_two_passes_is_noticed(cgroup: Cgroup, reader: Reader) -> None:
    _work_in(cgroup)
    before = reader.read({"one": []})["one"]
    cgroup.delete()
    cgroup.create()
    assert reader.read({"one": []})["one"].cpu < before.cpu


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.mark.kernel
@pytest.mark.parametrize("room", [0, 100])
def test_descriptors_are_kept_only_while_there_is_room(cgroup: Cgroup, room: int) -> None:
    before = _descriptors()
    reader = Reader(PARENT, room)
    for _ in range(3):
        assert reader.read({"one": [], "none": []}).keys() == {"one"}
    assert (_descriptors() > before) == bool(room)
    assert _descriptors() - before <= 7
    reader.read({})
    assert _descriptors() == before


def test_version_two(tmp_path: Path) -> None:
    make_tree(tmp_path)
    found = Reader("", 100, str(tmp_path)).read({"one": []})["one"]
    assert found == Counters(30_000, 4094, counters.total_memory(), 0, 0, 5, 6, 2)


def test_what_the_hosts_end_receives_the_container_has_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Docker's sample has it, which loopback cannot tell: it receives what it sends."""
    make_tree(tmp_path)
    monkeypatch.setattr(counters, "traffic", lambda: {"veth0": (10, 200), "veth1": (1, 20), "other": (5, 5)})
    found = Reader("", 100, str(tmp_path)).read({"one": ["veth0", "veth1", "gone"]})["one"]
    assert (found.received, found.sent) == (220, 11)


def test_version_one(tmp_path: Path) -> None:
    for place, text in {
        "memory/one/memory.usage_in_bytes": "4096\n",
        "memory/one/memory.limit_in_bytes": "9223372036854771712\n",
        "memory/one/memory.stat": "inactive_file 1\ntotal_inactive_file 2\n",
        "cpuacct/one/cpuacct.usage": "31\n",
        "blkio/one/blkio.bfq.io_service_bytes_recursive": "Total 0\n",
        "blkio/one/blkio.throttle.io_service_bytes_recursive": "8:0 Read 5\n8:0 Write 7\n8:0 Total 12\nTotal 12\n",
    }.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
    found = Reader("", 100, str(tmp_path)).read({"one": []})["one"]
    assert found == Counters(31, 4094, counters.total_memory(), 0, 0, 5, 7, 0)


@given(st.dictionaries(KEYS, st.integers(0, 2**64)), KEYS)
def test_a_key_is_found_as_a_whole(entries: dict[str, int], other: str) -> None:
    content = "".join(f"{key} {value}\n" for key, value in entries.items()).encode()
    for key, value in entries.items():
        assert counters.keyed(content, key.encode()) == value
    assert counters.keyed(content, other.encode()) == entries.get(other, 0)


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 2**63), st.integers(0, 2**63))))
def test_both_forms_of_block_counters(rows: list[tuple[int, int, int]]) -> None:
    expected = sum(row[1] for row in rows), sum(row[2] for row in rows)
    two = "".join(f"8:{minor} rbytes={read} wbytes={write} rios=3 wios=4\n" for minor, read, write in rows)
    assert counters.transfers(two.encode()) == expected
    one = "".join(f"8:{minor} Read {read}\n8:{minor} Write {write}\n8:{minor} Sync 9\n" for minor, read, write in rows)
    assert counters.operations(f"{one}Total 9\n".encode()) == expected


def _start() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "engine.containers.sampler", PARENT]
    return subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _ask(process: subprocess.Popen[bytes], containers: dict[str, list[str]]) -> dict[str, Counters]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"containers": containers}).encode() + b"\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    assert answer["at"] > 0
    return {name: Counters(*values) for name, values in answer["containers"].items()}


@pytest.mark.kernel
def test_the_process_answers_each_line_and_ends_with_its_input(cgroup: Cgroup) -> None:
    with _start() as process:
        assert _ask(process, {}) == {}
        assert _ask(process, {"one": ["lo"], "none": []}).keys() == {"one"}
        _work_in(cgroup)
        assert _ask(process, {"one": []})["one"].cpu > 0
        process.send_signal(signal.SIGINT)
        assert _ask(process, {"one": []}).keys() == {"one"}
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


def test_the_process_ends_when_nobody_listens() -> None:
    with _start() as process:
        assert _ask(process, {}) == {}
        assert process.stdout is not None
        process.stdout.close()
        assert process.stdin is not None
        process.stdin.write(b'{"containers": {}}\n')
        process.stdin.flush()
        assert process.wait(30) == 0


def test_the_process_needs_neither_django_nor_celery() -> None:
    script = "import sys, engine.containers.sampler; sys.exit(bool({'django', 'celery'} & sys.modules.keys()))"
    subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, check=True)
