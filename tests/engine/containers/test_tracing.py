"""A process in a container that may trace others (CAP_SYS_PTRACE) and looks at every exec session that comes in."""

# Paths are plain strings because the watcher has to be fast.
# ruff: noqa: PTH115, PTH121, PTH208

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from engine.containers import runtime, wire
from engine.containers.config.mounts import Mount
from engine.containers.shim.init import failure
from engine.containers.shim.loop import Loop
from engine.containers.shim.session import Session
from engine.errors import Conflict, MuelleError, SystemFailure
from engine.kernel import capabilities, libc
from engine.kernel.processes import is_ending

if TYPE_CHECKING:
    from tests.engine.containers.conftest import Container

pytestmark = pytest.mark.kernel

NAMESPACES = libc.CLONE_NEWNS | libc.CLONE_NEWPID | libc.CLONE_NEWNET | libc.CLONE_NEWIPC | libc.CLONE_NEWUTS
BITS = capabilities.mask(capabilities.DEFAULT | {"CAP_SYS_PTRACE"})


class Watcher:
    """A process in the container's namespaces, with its capabilities, that reads all it can of each new process."""

    def __init__(self, pid: int) -> None:
        self._answer, answer = os.pipe()
        self._stop, stop = os.pipe()
        self._helper = os.fork()
        if not self._helper:
            _join(pid, stop_reader=self._stop, answer=answer, others=(stop, self._answer))
        os.close(answer)
        os.close(self._stop)
        self._stop_writer = stop
        assert os.read(self._answer, 1) == b"+"

    def findings(self) -> dict[str, Any]:
        """Stop it; returns how many processes it saw and each fact that it read, once."""
        os.close(self._stop_writer)
        text = b""
        while block := os.read(self._answer, 65536):
            text += block
        os.close(self._answer)
        os.waitpid(self._helper, 0)
        found: dict[str, Any] = json.loads(text)
        return found


def _join(pid: int, *, stop_reader: int, answer: int, others: tuple[int, ...]) -> NoReturn:
    try:
        for fd in others:
            os.close(fd)
        libc.setns(os.pidfd_open(pid), NAMESPACES)
        watcher = os.fork()
        if watcher:
            os.close(answer)
            os.waitpid(watcher, 0)
        else:
            libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
            capabilities.limit_bounding(BITS)
            capabilities.limit(BITS)
            _watch(stop_reader, answer)
    finally:
        os._exit(0)


def _watch(stop_reader: int, answer: int) -> None:
    seen: set[str] = set()
    facts: set[tuple[str, str]] = set()
    own = {"1", str(os.getpid())}
    os.write(answer, b"+")
    while not select.select([stop_reader], [], [], 0)[0]:
        for name in os.listdir("/proc"):
            if name.isdecimal() and name not in own:
                seen.add(name)
                facts.update(_facts(f"/proc/{name}"))
    os.write(answer, json.dumps({"seen": len(seen), "facts": sorted(facts)}).encode())


def _facts(process: str) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(OSError):
        yield "cwd", os.readlink(f"{process}/cwd")
        yield "root", os.readlink(f"{process}/root")
        yield "same root", str(os.path.samefile(f"{process}/root", "/"))
        for name in ("environ", "cmdline"):
            yield name, _read(f"{process}/{name}").strip("\0")
        for line in _read(f"{process}/status").splitlines():
            if line.startswith(("CapEff", "CapPrm", "CapBnd", "Seccomp:")):
                yield line.split()[0], line.split()[1]
        for fd in os.listdir(f"{process}/fd"):
            yield "fd", os.readlink(f"{process}/fd/{fd}").partition("[")[0]


def _read(path: str) -> str:
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 65536).decode()
    finally:
        os.close(fd)


def watched(container: Container, execs: int, **fields: Any) -> dict[str, set[str]]:
    """What a tracer learns while exec sessions come in."""
    container.start("sleep", "600", host={"CapAdd": ["SYS_PTRACE"]})
    state = runtime.state(container.layout, container.id)
    assert state is not None
    watcher = Watcher(state.pid)
    for _ in range(execs):
        assert container.exec("true", **fields)[1] == 0
    found = watcher.findings()
    assert found["seen"] > execs / 2
    facts: dict[str, set[str]] = {}
    for name, value in found["facts"]:
        facts.setdefault(name, set()).add(value)
    return facts


def test_a_tracer_sees_nothing_of_the_host(container: Container) -> None:
    """Neither path, environment, command line nor descriptor of the engine, nor a right that the container has not."""
    facts = watched(container, 200, cwd="/tmp")
    bits = f"{BITS:016x}"
    assert facts.pop("environ") <= {"", _environment(container)}
    assert facts.pop("cmdline") <= {"", "true"}
    assert facts == {
        "cwd": {"/tmp"}, "root": {"/"}, "same root": {"True"}, "Seccomp:": {"2"}, "fd": {"pipe:", "/dev/null"},
        "CapEff:": {bits}, "CapPrm:": {bits}, "CapBnd:": {bits},
    }  # fmt: skip


def _environment(container: Container) -> str:
    default = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return "\0".join([f"PATH={default}", f"HOSTNAME={container.id[:12]}", "HOME=/root"])


def test_a_tracer_sees_no_right_of_another_user(container: Container) -> None:
    facts = watched(container, 50, user="www")
    assert facts["CapEff:"] == facts["CapPrm:"] == {f"{0:016x}"}


def test_a_terminals_session_brings_nothing_along(container: Container) -> None:
    facts = watched(container, 50, tty=True)
    assert facts["fd"] <= {"pipe:", "/dev/pts/0", "/dev/pts/1", "/dev/pts/2"}
    assert facts["Seccomp:"] == {"2"}


EXEC: dict[str, Any] = {
    "op": "exec", "args": ["true"], "env": [], "cwd": "", "user": "", "tty": False, "privileged": False,
    "stdin": False, "stdout": True, "stderr": True, "detach_keys": [], "console_size": None, "framed": False,
}  # fmt: skip
NO_FORK = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["clone", "clone3", "fork", "vfork"], "action": "SCMP_ACT_ERRNO"}],
}


def test_a_filter_that_forbids_to_fork_is_loaded_late(container: Container) -> None:
    container.start("sleep", "600", host={"SecurityOpt": [f"seccomp={json.dumps(NO_FORK)}"]})
    script = "grep -E 'Seccomp:|NoNewPrivs' /proc/self/status; true | cat"
    output, _ = container.exec("sh", "-c", "exec grep -E 'Seccomp:|NoNewPrivs' /proc/self/status")
    assert output.split() == [b"NoNewPrivs:", b"1", b"Seccomp:", b"2"]
    assert b"can't fork" in container.exec("sh", "-c", script)[0]


def test_a_filter_that_forbids_prctl_is_loaded_last(container: Container) -> None:
    """Where no_new_privs leaves it to the end, nothing of ours comes after it."""
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["prctl"], "action": "SCMP_ACT_ERRNO"}]}
    container.start("sleep", "600", host={"SecurityOpt": ["no-new-privileges", f"seccomp={json.dumps(profile)}"]})
    output, _ = container.exec("grep", "-E", "Seccomp:|NoNewPrivs", "/proc/1/status", "/proc/self/status")
    assert [line.split()[-1] for line in output.splitlines()] == [b"1", b"2"] * 2


@pytest.mark.parametrize(
    "host",
    [
        {"PidMode": "host"},
        {"Memory": 6 << 20, "MemorySwap": 6 << 20},
        {"Privileged": True},
        {"SecurityOpt": ["no-new-privileges"]},
        {"CgroupnsMode": "host", "UTSMode": "host", "NetworkMode": "host", "IpcMode": "host"},
    ],
)
def test_sessions_in_containers_of_every_kind(container: Container, host: dict[str, Any]) -> None:
    container.start("sleep", "600", host=host)
    for _ in range(3):
        assert container.exec("sh", "-c", "echo in; exit 3", user="www") == (b"in\n", 3)
        assert container.exec("tty", tty=True) == (b"/dev/pts/0\r\n", 0)


def test_at_its_limit_of_processes_a_container_takes_no_session(container: Container) -> None:
    container.start("sh", "-c", "sleep 600 & sleep 600 & wait", host={"PidsLimit": 3})
    deadline = time.monotonic() + 10
    while len(runtime.cgroup(container.layout, container.id).pids()) < 3:
        assert time.monotonic() < deadline
    with pytest.raises(MuelleError, match="cannot make a process in the container: resource temporarily unavailable"):
        wire.call(container.socket, EXEC | {"id": "one"})


def test_a_session_that_comes_while_the_first_process_ends_is_a_conflict(container: Container) -> None:
    """It has not ended while another process of its namespace is there, and fork(2) says that memory is short.

    (Who has entered the namespace before; who comes later, as here, cannot enter it.)
    """
    started = container.start("sleep", "600")
    pidfd = os.pidfd_open(started.pid)
    held = int(wire.call(container.socket, EXEC | {"id": "held", "args": ["sleep", "600"]})["pid"])
    with frozen(container, held):
        os.kill(started.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while not is_ending(started.pid):
            assert time.monotonic() < deadline
        with pytest.raises(Conflict, match="is not running"):
            wire.call(container.socket, EXEC | {"id": "late"})
        assert select.select([pidfd], [], [], 0)[0] == []
    os.close(pidfd)


@pytest.mark.parametrize(("ends", "kind"), [(True, Conflict), (False, SystemFailure)])
def test_whatever_fails_in_a_container_that_ends_fails_because_of_that(ends: bool, kind: type[MuelleError]) -> None:
    session = Session(Loop(), EXEC | {"id": "one"}, None, lambda _: None, lambda _: None, lambda: ends)
    assert type(session._reason(failure("cannot make a process in the container: cannot allocate memory"))) is kind
    session._cradle.close()


@contextlib.contextmanager
def frozen(container: Container, pid: int) -> Iterator[None]:
    """A frozen process does not even die. (That of version 2 does.)"""
    paths = runtime.cgroup(container.layout, container.id).join_paths()
    parent = next((Path(path).parent for path in paths if "/freezer/" in path), None)
    if parent is None:
        pytest.skip("no freezer of cgroup version 1")
    directory = parent / "held"
    directory.mkdir()
    (directory / "cgroup.procs").write_text(str(pid))
    state = directory / "freezer.state"
    state.write_text("FROZEN")
    try:
        yield
    finally:
        state.write_text("THAWED")
        while (directory / "cgroup.procs").read_text():
            time.sleep(0.01)
        directory.rmdir()


def test_a_helper_ends_with_its_shim(container: Container) -> None:
    """It is not in the container's PID namespace, whose end would end it. Frozen in the cgroup, it waits half-way."""
    container.start("sleep", "600")
    state = runtime.state(container.layout, container.id)
    assert state is not None
    group = runtime.cgroup(container.layout, container.id)
    group.freeze()
    with wire.connect(container.socket) as sock:
        wire.send(sock, EXEC | {"id": "one"})
        deadline = time.monotonic() + 10
        while len(group.pids()) < 2:
            assert time.monotonic() < deadline
        os.kill(state.shim_pid, signal.SIGKILL)
    group.thaw()
    while group.pids():
        assert time.monotonic() < deadline + 10


def test_an_idle_input_is_the_containers_own(container: Container) -> None:
    """Through the host's /dev/null a container could change the host's mode of it."""
    container.start("sh", "-c", "stat -L -c %d:%i /proc/self/fd/0 /dev/null > /seen; sleep 600")
    output, _ = container.exec("sh", "-c", "cat /seen; stat -L -c %d:%i /proc/self/fd/0 /dev/null")
    host = Path("/dev/null").stat()
    assert len(set(output.split())) == 1
    assert output.split()[0].decode() != f"{host.st_dev}:{host.st_ino}"


def test_an_idle_input_without_dev_null(container: Container, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "null")
    container.start("sleep", "600", mounts=(Mount("volume", str(tmp_path), "/dev"),))
    assert container.exec("sh", "-c", "cat; echo end") == (b"end\n", 0)
