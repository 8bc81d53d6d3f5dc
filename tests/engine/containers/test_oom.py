"""Kills for want of memory, told when they happen."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.containers import runtime
from engine.containers.shim.loop import Loop
from engine.containers.shim.oom import OutOfMemory, open_watch

if TYPE_CHECKING:
    from engine.layout import Layout
    from tests.engine.containers.conftest import Container

pytestmark = pytest.mark.kernel

GREEDY = ("sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done")
LITTLE = {"Memory": 16 << 20, "MemorySwap": 16 << 20}
TREES = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
UNIFIED = next((path for path in TREES if Path(path, "cgroup.procs").exists()), "")


@pytest.fixture
def notices(engine: Layout) -> Iterator[socket.socket]:
    """The monitor's ear."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(engine.notice_socket))
        sock.settimeout(20)
        yield sock
    engine.notice_socket.unlink()


def heard(notices: socket.socket) -> dict[str, Any]:
    notice: dict[str, Any] = json.loads(notices.recv(65536))
    return notice


def test_the_kill_of_an_exec_session_is_told_while_the_container_runs(
    container: Container, notices: socket.socket
) -> None:
    container.start("sleep", "600", host=LITTLE)
    for _ in range(2):
        assert container.exec(*GREEDY)[1] == 137
        told = [heard(notices), heard(notices)]
        assert {"container": container.id, "notice": "oom"} in told
    assert runtime.alive(container.layout, container.id)
    runtime.signal_container(container.layout, container.id, 9)
    ended = container.wait()
    assert (ended.oom_killed, ended.oom_told) == (True, True)


def test_a_kill_that_nobody_hears_is_left_to_the_record(container: Container) -> None:
    container.start("sleep", "600", host=LITTLE)
    assert container.exec(*GREEDY)[1] == 137
    runtime.signal_container(container.layout, container.id, 9)
    ended = container.wait()
    assert (ended.oom_killed, ended.oom_told) == (True, False)


def test_without_a_kill_nothing_is_told(container: Container, notices: socket.socket) -> None:
    container.start("true", host=LITTLE)
    ended = container.wait()
    assert (ended.oom_killed, ended.oom_told) == (False, True)
    assert heard(notices)["notice"] == "exited"


@pytest.mark.skipif(not UNIFIED, reason="no cgroup v2 tree is mounted")
def test_version_two_tells_by_poll() -> None:
    """With another counter of the same kind: the memory controller may belong to version 1."""
    directory = Path(UNIFIED, f"muelle-test-{os.getpid()}")
    directory.mkdir()
    loop = Loop()
    told: list[int] = []

    def tell() -> bool:
        told.append(1)
        loop.stop()
        return True

    memory = OutOfMemory(loop, open_watch(str(directory / "cgroup.events")), tell, counter=b"populated")
    with subprocess.Popen(["sleep", "100"]) as process:
        (directory / "cgroup.procs").write_text(str(process.pid))
        loop.run()
        process.kill()
    memory.close()
    directory.rmdir()
    assert told == [1]


def test_a_kernel_that_does_not_count(tmp_path: Path) -> None:
    memory = OutOfMemory(Loop(), open_watch(str(tmp_path / "memory.events")), lambda: True)
    assert (memory.kills, memory.told) == (0, True)
    memory.close()
