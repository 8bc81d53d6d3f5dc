"""The client against a running installation."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installation import Installation

pytestmark = pytest.mark.system

COMMAND = [sys.executable, "-m", "frontend.cli"]


class Client:
    """Runs the client; containers it names are removed at the end."""

    def __init__(self, host: str) -> None:
        self.environment = {**os.environ, "DOCKER_HOST": host, "TERM": "dumb"}

    def __call__(self, *arguments: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:  # noqa: A002
        return subprocess.run(
            [*COMMAND, *arguments], input=input, capture_output=True, env=self.environment, timeout=60, check=False
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, env=self.environment)

    def terminal(self, *arguments: str, rows: int = 33, columns: int = 99) -> Terminal:
        return Terminal([*COMMAND, *arguments], self.environment, rows, columns)


class Terminal:
    """A process of the client on a terminal of its own."""

    def __init__(self, command: list[str], environment: dict[str, str], rows: int, columns: int) -> None:
        self.fd, slave = pty.openpty()
        self.resize(rows, columns)
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, data: bytes) -> None:
        os.write(self.fd, data)

    def expect(self, pattern: bytes, seconds: float = 20) -> bytes:
        seen, deadline = b"", time.monotonic() + seconds
        while not re.search(pattern, seen):
            ready, _, _ = select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, seen
            seen += os.read(self.fd, 4096)
        return seen

    def end(self) -> int:
        status = self.process.wait(20)
        os.close(self.fd)
        return status


@pytest.fixture
def client(installation: Installation) -> Client:
    return Client(installation.docker_host)


@pytest.fixture
def sleeper(client: Client) -> Iterator[str]:
    name = "cli-sleeper"
    result = client("run", "-d", "--name", name, "busybox", "sleep", "1000")
    assert result.returncode == 0, result.stderr
    yield name
    client("rm", "-f", name)


def test_run_passes_streams_and_status(client: Client) -> None:
    result = client("run", "--rm", "-i", "busybox", "sh", "-c", "cat; echo err >&2; exit 7", input=b"typed")
    assert (result.returncode, result.stdout, result.stderr) == (7, b"typed", b"err\n")


@pytest.mark.parametrize(("command", "status"), [("nosuch", 127), ("/etc", 126)])
def test_a_command_that_cannot_run(client: Client, command: str, status: int) -> None:
    result = client("run", "--rm", "busybox", command)
    assert result.returncode == status, result.stderr


def test_exec_logs_and_inspect(client: Client, sleeper: str) -> None:
    assert client("exec", sleeper, "sh", "-c", "exit 5").returncode == 5
    assert client("exec", "-i", sleeper, "cat", input=b"through").stdout == b"through"
    assert client("inspect", "-f", "{{.State.Status}} {{.Name}}", sleeper).stdout == f"running /{sleeper}\n".encode()
    assert sleeper.encode() in client("ps", "--format", "{{.Names}}").stdout
    client("stop", "-t", "0", sleeper)
    assert client("wait", sleeper).stdout == b"137\n"


def test_logs_follow_until_the_end(client: Client) -> None:
    name = "cli-logs"
    client("run", "-d", "--name", name, "busybox", "sh", "-c", "echo one; sleep 1; echo two >&2")
    try:
        result = client("logs", "-f", name)
        assert (result.stdout, result.stderr) == (b"one\n", b"two\n")
        assert client("logs", "--tail", "1", name).stderr == b"two\n"
    finally:
        client("rm", "-f", name)


def test_a_terminal_has_its_size_and_follows_it(client: Client) -> None:
    terminal = client.terminal("run", "--rm", "-it", "busybox", "sh")
    terminal.expect(rb"# ")
    terminal.type(b"stty size\n")
    terminal.expect(rb"33 99\r\n")
    terminal.resize(40, 120)
    os.kill(terminal.process.pid, signal.SIGWINCH)
    terminal.type(b"while [ \"$(stty size)\" != '40 120' ]; do sleep 0.1; done; echo resi''zed\n")
    terminal.expect(rb"resized\r\n")
    terminal.type(b"exit 7\n")
    assert terminal.end() == 7


def test_detaching_leaves_the_container(client: Client) -> None:
    name = "cli-detached"
    terminal = client.terminal("run", "-it", "--name", name, "busybox", "sh")
    try:
        terminal.expect(rb"# ")
        terminal.type(b"\x10\x11")
        assert terminal.end() == 0
        assert client("inspect", "-f", "{{.State.Running}}", name).stdout == b"true\n"
        terminal = client.terminal("attach", name)
        terminal.type(b"echo ba''ck\n")
        terminal.expect(rb"back\r\n")
        terminal.type(b"\x10\x11")
        assert terminal.end() == 0
    finally:
        client("rm", "-f", name)


def test_signals_reach_the_container(client: Client) -> None:
    script = "trap 'echo got; exit 9' TERM; echo up; while :; do sleep 0.1; done"
    process = client.start("run", "--rm", "busybox", "sh", "-c", script)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[0] == b"got\n"
    assert process.returncode == 9


def test_copying_there_and_back(client: Client, sleeper: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "below" / "file").write_text("text")
    (tree / "link").symlink_to("below/file")
    assert client("cp", str(tree), f"{sleeper}:/tmp/new").returncode == 0
    assert client("exec", sleeper, "cat", "/tmp/new/link").stdout == b"text"
    assert client("cp", f"{sleeper}:/tmp/new", str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back" / "link").read_text() == "text"
    missing = client("cp", f"{sleeper}:/nosuch", str(tmp_path))
    assert (missing.returncode, b"Could not find the file /nosuch" in missing.stderr) == (1, True)


def test_images_travel_through_files(client: Client, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    assert client("save", "-o", str(archive), "busybox").returncode == 0
    assert client("load", "-i", str(archive)).stdout == b"Loaded image: busybox:latest\n"
    assert client("tag", "busybox", "cli-test:one").returncode == 0
    assert client("images", "--format", "{{.Repository}}:{{.Tag}}", "cli-test").stdout == b"cli-test:one\n"
    assert b"Untagged: cli-test:one\n" in client("rmi", "cli-test:one").stdout


def test_stats_events_and_diff(client: Client, sleeper: str) -> None:
    shown = client("stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", sleeper)
    assert shown.stdout == f"{sleeper} 1\n".encode()
    client("exec", sleeper, "touch", "/new")
    assert b"A /new\n" in client("diff", sleeper).stdout
    events = client("events", "--since", "1h", "--until", "0s", "-f", f"container={sleeper}", "--format", "{{.Action}}")
    assert events.stdout.splitlines()[:2] == [b"create", b"start"]
    assert b"sleep 1000" in client("top", sleeper).stdout
