"""The launcher with few descriptors, and what containers notice of how many it may have."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.containers import runtime, wire
from engine.containers.shim.loop import Loop
from engine.containers.shim.sockets import listen, serve
from engine.layout import Layout
from tests.engine.containers.conftest import Container, launched
from tests.engine.containers.test_hostile_messages import EXEC

pytestmark = pytest.mark.kernel

Launch = Callable[[str], Layout]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Start a launcher with ``soft:hard`` limits of open descriptors."""
    with ExitStack() as running:

        def start(limits: str) -> Layout:
            layout = Layout(tmp_path / "home", tmp_path / "run")
            for directory in layout.home, layout.run:
                directory.mkdir()
            return running.enter_context(launched(layout, "prlimit", f"--nofile={limits}"))

        yield start


def make(layout: Layout) -> Container:
    return Container(layout, os.urandom(32).hex())


def shim_of(container: Container) -> int:
    state = runtime.state(container.layout, container.id)
    assert state is not None
    return state.shim_pid


def connect(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.connect(str(path))
    return sock


def test_without_descriptors_it_waits_for_some(launch: Launch) -> None:
    layout = launch("40:40")
    with ExitStack() as many:
        for _ in range(60):
            many.enter_context(connect(layout.attach_socket))
        time.sleep(0.3)
    time.sleep(0.3)  # while it still has few, a message may come without the descriptor that belongs to it
    assert make(layout).output("echo", "fine") == "fine\n"


def test_a_shim_without_descriptors_waits_for_some(launch: Launch) -> None:
    container = make(launch("40:40"))
    container.start("sleep", "600")
    with ExitStack() as many:
        for _ in range(60):
            many.enter_context(connect(container.socket))
        before = processor_time(shim_of(container))
        time.sleep(0.6)
        assert processor_time(shim_of(container)) - before < 10
    assert container.exec("echo", "fine") == (b"fine\n", 0)


def processor_time(pid: int) -> int:
    """In hundredths of a second; proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_commands_have_the_limit_that_the_launcher_was_started_with(launch: Launch) -> None:
    container = make(launch("100:1500"))
    with container.attach() as connection:
        container.start("sh", "-c", "ulimit -Sn; ulimit -Hn; sleep 600")
        assert connection.recv(9, socket.MSG_WAITALL) == b"100\n1500\n"
        assert container.exec("sh", "-c", "ulimit -Sn; ulimit -Hn") == (b"100\n1500\n", 0)
        assert "1500" in Path(f"/proc/{shim_of(container)}/limits").read_text().partition("Max open files")[2][:30]
    asked = {"Ulimits": [{"Name": "nofile", "Soft": 50, "Hard": 60}]}
    assert make(container.layout).output("sh", "-c", "ulimit -Sn; ulimit -Hn", host=asked) == "50\n60\n"


def test_numbers_beyond_those_of_select(launch: Launch) -> None:
    layout = launch("2000:2000")
    waiting = make(layout)
    with ExitStack() as many:
        for _ in range(1020):
            many.enter_context(waiting.attach())
        container = make(layout)
        assert container.output("echo", "fine") == "fine\n"


def test_a_shim_holds_nothing_of_other_containers(launch: Launch) -> None:
    layout = launch("200:200")
    containers = [make(layout) for _ in range(4)]
    with make(layout).attach(), make(layout).attach():
        for container in containers:
            container.start("sleep", "600")
        first, *others = (descriptors(each) for each in containers)
    assert others == [first] * 3


def test_a_shim_that_is_forked_while_the_launcher_waits_for_descriptors_holds_no_listener(tmp_path: Path) -> None:
    loop = Loop()
    with listen(str(tmp_path / "sock"), 0o600, 0) as listener, connect(tmp_path / "sock"):
        serve(loop, listener, lambda _sock: pytest.fail("there is no descriptor for it"))
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        try:
            loop.later(0.01, loop.stop)
            loop.run()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        loop.abandon()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(listener.fileno())
        listener.detach()


@pytest.mark.parametrize("tty", [False, True])
def test_exec_sessions_without_descriptors_cost_nothing_but_themselves(launch: Launch, tty: bool) -> None:
    """However many are left: the session fails, the shim goes on, and holds no more than before."""
    container = make(launch("50:50"))
    container.start("sleep", "600")
    assert container.exec("echo", "fine") == (b"fine\n", 0)
    before = descriptors(container)
    failed = 0
    with wire.connect(container.socket, 10) as asking, ExitStack() as many:
        for number in range(50):
            many.enter_context(connect(container.socket))
            wire.send(asking, EXEC | {"id": str(number), "tty": tty})
            failed += "error" in wire.receive(asking)[0]
    assert 5 < failed < 50
    time.sleep(0.5)
    assert container.exec("echo", "fine") == (b"fine\n", 0)
    assert descriptors(container) == before


def descriptors(container: Container) -> int:
    time.sleep(0.2)  # an exec's helper has just ended, and is noticed in a moment
    return len(os.listdir(f"/proc/{shim_of(container)}/fd"))  # noqa: PTH208
