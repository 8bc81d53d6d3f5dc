"""Containers on the real kernel, through launcher and shim."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from engine.containers import runtime, wire
from engine.containers.config.mounts import Mount
from engine.errors import InvalidArgument, MuelleError
from engine.kernel.cgroups import Resources
from engine.kernel.processes import start_time
from engine.layout import Layout
from tests.engine.containers.conftest import Container, drain

pytestmark = pytest.mark.kernel


def _nothing_left(container: Container) -> None:
    assert not container.socket.exists()
    assert runtime.state(container.layout, container.id) is None
    assert runtime.cgroup(container.layout, container.id).pids() == []
    assert not list(Path("/sys/fs/cgroup").glob(f"**/{container.id}"))
    assert container.id not in Path("/proc/self/mountinfo").read_text()


def test_output_and_exit_code(container: Container) -> None:
    output = container.output("sh", "-c", "echo out; echo err >&2; hostname; exit 7")
    assert sorted(output.split()) == sorted(["out", "err", container.id[:12]])
    assert container.wait().exit_code == 7


def test_the_container_sees_its_own_namespaces_only(container: Container) -> None:
    lines = container.output(
        "sh", "-c", "echo $$; ls /sys/class/net; cat /proc/self/cgroup; readlink /proc/1/root"
    ).split("\n")
    assert lines[:2] == ["1", "lo"]
    assert all(line.endswith(":/") for line in lines[2:] if ":" in line)


def test_mounts_stay_in_the_container(container: Container) -> None:
    container.start("sleep", "60")
    assert container.id not in Path("/proc/self/mountinfo").read_text()


def test_kernel_interfaces_are_guarded(container: Container) -> None:
    script = "exec 2>&1; echo x > /proc/sys/kernel/hostname; mkdir /sys/x; wc -c < /proc/timer_list; ls /sys/firmware"
    output = container.output("sh", "-c", script)
    assert output.count("Read-only file system") == 2
    assert output.endswith("\n0\n")


def test_a_signal_ends_it_and_is_recorded(container: Container) -> None:
    container.start("sleep", "60")
    runtime.signal_container(container.layout, container.id, signal.SIGKILL)
    ended = container.wait()
    assert (ended.exit_code, ended.signalled_by_api, ended.oom_killed) == (137, True, False)


def test_stop_kills_at_the_deadline(container: Container) -> None:
    container.start("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done")
    time.sleep(0.2)  # for the trap to be set
    runtime.stop(container.layout, container.id, signal.SIGTERM, 0.3)
    assert container.wait().exit_code == 137


def test_want_of_memory_is_told(container: Container) -> None:
    container.start(
        "sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done", host={"Memory": 16 << 20, "MemorySwap": 16 << 20}
    )
    ended = container.wait()
    assert (ended.exit_code, ended.oom_killed) == (137, True)


@pytest.mark.parametrize(
    ("command", "exit_code", "text"),
    [
        ("nosuch", 127, 'exec: "nosuch": executable file not found in $PATH'),
        ("/no/such", 127, "no such file or directory"),
        ("/etc/passwd", 126, "permission denied"),
        ("/etc", 126, "is a directory"),
    ],
)
def test_a_command_that_cannot_run(container: Container, command: str, exit_code: int, text: str) -> None:
    with pytest.raises(runtime.StartFailed, match="unable to start container process") as caught:
        container.start(command)
    assert caught.value.exit_code == exit_code
    assert text in str(caught.value)
    _nothing_left(container)


@pytest.mark.parametrize(
    ("host", "config"),
    [
        ({"Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 1 << 40}]}, {}),
        ({}, {"User": "nobody-here"}),
        ({}, {"User": "0:no-group"}),
        ({}, {"WorkingDir": "/etc/passwd"}),
        ({"Sysctls": {"net.nonsense": "1"}}, {}),
    ],
)
def test_a_failed_start_leaves_nothing(container: Container, host: dict[str, Any], config: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        container.start("true", host=host, **config)
    _nothing_left(container)


def test_a_worker_that_goes_away_calls_the_start_off(container: Container) -> None:
    def fail(_namespace: int, _netlink: int) -> None:
        raise RuntimeError("the worker dies here")

    with pytest.raises(RuntimeError, match="dies here"):
        runtime.start(container.layout, container.id, container.spec("sleep", "60"), Resources(), fail)
    deadline = time.monotonic() + 10
    while container.socket.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    _nothing_left(container)


def test_the_network_namespace_is_handed_out_before_the_command_runs(container: Container) -> None:
    seen: list[str] = []

    def configure(namespace: int, netlink: int) -> None:
        seen.append(str(Path(f"/proc/self/fd/{namespace}").readlink()))
        with socket.socket(fileno=os.dup(netlink)) as sock:
            assert sock.family == socket.AF_NETLINK

    with container.attach() as connection:
        spec = container.spec("readlink", "/proc/self/ns/net")
        runtime.start(container.layout, container.id, spec, Resources(), configure)
        assert drain(connection).decode().strip() == seen[0]
    assert seen[0] != str(Path("/proc/self/ns/net").readlink())


def test_stdin_ends_with_the_client(container: Container) -> None:
    with container.attach() as connection:
        container.start("sh", "-c", "cat; echo ended", OpenStdin=True, StdinOnce=True)
        connection.sendall(b"typed\n")
        connection.shutdown(socket.SHUT_WR)
        assert drain(connection) == b"typed\nended\n"


def test_large_input_comes_back_whole(container: Container) -> None:
    sent = os.urandom(3_000_000)
    with container.attach() as connection:
        container.start("cat", OpenStdin=True, StdinOnce=True)
        if not os.fork():
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            os._exit(0)
        assert drain(connection) == sent
    os.wait()


def test_streams_are_framed_apart(container: Container) -> None:
    with container.attach(framed=True) as connection:
        container.start("sh", "-c", "echo out; sleep 0.1; echo err >&2")
        assert drain(connection) == b"\1\0\0\0\0\0\0\4out\n\2\0\0\0\0\0\0\4err\n"


def test_terminal_size_and_detach_keys(container: Container) -> None:
    with container.attach() as connection:
        container.start("sh", "-c", "stty size; cat", Tty=True, OpenStdin=True, host={"ConsoleSize": [33, 77]})
        assert connection.recv(100) == b"33 77\r\n"
        connection.sendall(b"\x10\x11")
        assert drain(connection) == b""
    assert runtime.alive(container.layout, container.id)


def test_a_client_that_does_not_read_stops_the_output_and_loses_nothing(container: Container) -> None:
    with container.attach() as connection:
        container.start("seq", "1", "700000")
        time.sleep(0.5)
        assert runtime.exit_of(container.layout, container.id) is None
        assert drain(connection).count(b"\n") == 700_000


def test_log_lines_are_docker_json(container: Container) -> None:
    container.output("sh", "-c", "printf 'tab\\there \"q\" \\\\ \\303\\251 \\377\\n'; printf unfinished >&2")
    lines = container.layout.log(container.id).read_bytes().splitlines()
    assert [line[: line.index(b',"time"')] for line in lines] == [
        rb'{"log":"tab\there \"q\" \\ ' + "é �".encode() + rb'\n","stream":"stdout"',
        b'{"log":"unfinished","stream":"stderr"',
    ]


def test_exec_runs_inside(container: Container) -> None:
    container.start("sleep", "60", Env=["A=image"])
    output, code = container.exec("sh", "-c", "echo $A $B $(id -u); cat; exit 4", env=["B=exec"], stdin=b"in\n")
    assert (output, code) == (b"image exec 0\nin\n", 4)


def test_exec_as_a_user_of_the_image(container: Container) -> None:
    container.start("sleep", "60")
    output, _ = container.exec("sh", "-c", "id -u; id -g; id -G; echo $HOME; grep CapEff /proc/self/status", user="www")
    assert output.split() == [b"33", b"34", b"34", b"77", b"/srv", b"CapEff:", b"0000000000000000"]


def test_exec_with_a_terminal(container: Container) -> None:
    container.start("sleep", "60")
    output, code = container.exec("sh", "-c", "stty size; tty", tty=True, console_size=[10, 20])
    assert (output, code) == (b"10 20\r\n/dev/pts/0\r\n", 0)


def test_exec_of_a_missing_command_tells_the_client(container: Container) -> None:
    container.start("sleep", "60")
    ours, theirs = socket.socketpair()
    request = {
        "op": "exec", "id": "e1", "args": ["nosuch"], "env": [], "cwd": "", "user": "", "tty": False,
        "privileged": False, "stdin": False, "stdout": True, "stderr": True, "detach_keys": [],
        "console_size": None, "framed": False,
    }  # fmt: skip
    with ours, theirs, pytest.raises(InvalidArgument, match="executable file not found"):
        wire.call(container.socket, request, [theirs.fileno()])
    with pytest.raises(MuelleError, match="already run"):
        wire.call(container.socket, request)
    assert wire.call(container.socket, {"op": "exec_state", "id": "e1"})["exit_code"] == 127


def test_no_descriptor_of_the_engine_reaches_a_command(container: Container) -> None:
    container.start("sleep", "60")
    output, _ = container.exec("sh", "-c", "ls /proc/1/fd; ls /proc/self/fd")
    assert set(output.split()) <= {b"0", b"1", b"2", b"3"}


def test_binds_follow_no_symlink_out_of_the_image(container: Container, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (container.directory / "upper").mkdir()
    (container.directory / "upper/escape").symlink_to(tmp_path)
    mount = Mount("bind", str(source), "/escape/made", read_only=True)
    output = container.output("sh", "-c", f"touch /escape/made/x; ls -d {tmp_path}/made", mounts=(mount,))
    assert "Read-only file system" in output
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("attempt", range(10))
def test_a_missing_bind_source_is_refused(container: Container, attempt: int) -> None:
    """Many times: the refusal crosses the worker's "go"."""
    with pytest.raises(InvalidArgument, match='error mounting "/no/such"'):
        container.start("true", mounts=(Mount("bind", "/no/such", "/x"),))
    _nothing_left(container)


def test_proc_as_a_symlink_is_refused(container: Container) -> None:
    (container.directory / "upper").mkdir()
    (container.directory / "work").mkdir()
    os.mknod(container.directory / "upper/proc.whiteout", 0o600)
    (container.directory / "upper/proc").symlink_to("/tmp")
    with pytest.raises(InvalidArgument, match="not a symbolic link"):
        container.start("true")


def test_read_only_root_and_tmpfs(container: Container) -> None:
    mount = Mount("tmpfs", "", "/scratch", options="size=1m")
    script = "touch /x; touch /scratch/x && echo written; df -k /scratch | tail -1"
    output = container.output("sh", "-c", script, mounts=(mount,), host={"ReadonlyRootfs": True})
    assert "Read-only file system" in output
    assert "written" in output
    assert "1024" in output


def test_the_launcher_may_die(engine: Layout, container: Container) -> None:
    """A shim needs nobody: what it serves, it serves on."""
    container.start("sleep", "60")
    state = runtime.state(engine, container.id)
    assert state is not None
    parent = int(Path(f"/proc/{state.shim_pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert str(Path(f"/proc/{parent}/exe").readlink()).startswith("/memfd:")
    assert container.exec("true") == (b"", 0)


def test_a_killed_shim_takes_the_container_along(container: Container) -> None:
    container.start("sleep", "60")
    state = runtime.state(container.layout, container.id)
    assert state is not None
    os.kill(state.shim_pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while start_time(state.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not runtime.alive(container.layout, container.id)
    assert runtime.exit_of(container.layout, container.id) is None
    runtime.release(container.layout, container.id)
    assert not list(Path("/sys/fs/cgroup").glob(f"**/{container.id}"))


def test_only_root_signals(container: Container) -> None:
    container.start("sleep", "60")
    container.socket.chmod(0o666)
    for directory in container.socket.parents:
        if directory.stat().st_uid == 0 and directory != Path("/"):
            directory.chmod(directory.stat().st_mode | 0o011)
    pid = os.fork()
    if not pid:
        os.setresuid(65534, 65534, 65534)
        try:
            wire.call(container.socket, {"op": "signal", "signal": 9})
        except MuelleError as error:
            os._exit(0 if error.status == 403 else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert runtime.alive(container.layout, container.id)
