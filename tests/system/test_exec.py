"""docker exec."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.docker import Docker
from tests.system.waiting import eventually, inspect

Status = int | tuple[int, ...]
NOT_FOUND = (126, 127)  # the older of Docker's daemons answer 126 for a command that does not exist


def test_output_streams_and_exit_code(docker: Docker, idle: str) -> None:
    result = docker.run("exec", idle, "sh", "-c", "echo out; echo err >&2; exit 42")
    assert (result.stdout, result.stderr, result.returncode) == (b"out\n", b"err\n", 42)


def test_stdin(docker: Docker, idle: str) -> None:
    data = bytes(range(256)) * 4000
    assert docker.run("exec", "-i", idle, "cat", stdin=data).stdout == data


def test_without_i_there_is_no_stdin(docker: Docker, idle: str) -> None:
    assert docker("exec", idle, "wc", "-c", stdin="ignored") == "0"


def test_environment(docker: Docker, idle: str) -> None:
    environment = docker("exec", "-e", "A=1", idle, "env").splitlines()
    assert {"A=1", "GREETING=hello", "HOME=/root"} <= set(environment)


def test_user_and_directory(docker: Docker, idle: str) -> None:
    words = ("-u", "nobody:root", "-w", "/etc")
    assert docker("exec", *words, idle, "sh", "-c", "echo $(id -u):$(id -g) $(pwd)") == "65534:0 /etc"


def test_it_shares_the_containers_namespaces(docker: Docker, idle: str) -> None:
    kinds = ("mnt", "uts", "ipc", "net", "pid", "cgroup")
    script = " ".join(f"readlink /proc/1/ns/{kind}; readlink /proc/self/ns/{kind};" for kind in kinds)
    lines = docker("exec", idle, "sh", "-c", script).splitlines()
    assert lines[::2] == lines[1::2]


def test_it_has_the_containers_capabilities_and_seccomp(docker: Docker, idle: str) -> None:
    script = "grep -E 'CapEff|CapBnd|Seccomp:' /proc/self/status; grep -E 'CapEff|CapBnd|Seccomp:' /proc/1/status"
    lines = docker("exec", idle, "sh", "-c", script).splitlines()
    assert lines[:3] == lines[3:]


def test_privileged_has_more(docker: Docker, idle: str) -> None:
    read = ("sed", "-n", "s/^CapEff:\\t//p", "/proc/self/status")
    result = docker.run("exec", "--privileged", idle, *read)
    if result.returncode == 0:  # dockerd's exec asks for capabilities that root may lack
        assert int(result.stdout, 16) > int(docker("exec", idle, *read), 16)


@pytest.mark.parametrize(
    ("command", "status", "text"),
    [
        (("nonsense",), NOT_FOUND, b'exec: "nonsense": executable file not found in $PATH'),
        (("/etc",), 126, b'exec: "/etc": '),
        (("/etc/passwd",), 126, b"permission denied"),
        (("/bin/nonsense",), NOT_FOUND, b"no such file or directory"),
        (("sh", "-c", "kill -9 $$"), 137, b""),
    ],
)
def test_exit_codes(
    docker: Docker, idle: str, command: tuple[str, ...], status: int | tuple[int, ...], text: bytes
) -> None:
    result = docker.run("exec", idle, *command)
    accepted = status if isinstance(status, tuple) else (status,)
    assert result.returncode in accepted
    assert text in result.stdout + result.stderr


def test_detached(docker: Docker, sleeper: str) -> None:
    assert docker("exec", "-d", sleeper, "sh", "-c", "sleep 0.1; touch /done") == ""
    eventually(lambda: docker("exec", sleeper, "ls", "/").split().count("done"))


def test_bad_directory(docker: Docker, idle: str) -> None:
    result = docker.run("exec", "-w", "/nowhere", idle, "true")
    assert result.returncode in (126, 127)
    assert b"/nowhere" in result.stdout + result.stderr


def test_unknown_user(docker: Docker, idle: str) -> None:
    result = docker.run("exec", "-u", "stranger", idle, "true")
    assert result.returncode != 0
    assert b"unable to find user stranger" in result.stdout + result.stderr


def test_not_running(docker: Docker, image: str) -> None:
    docker("create", "--name", "still", image)
    result = docker.run("exec", "still", "true")
    assert result.returncode == 1
    assert re.search(rb"[Cc]ontainer \w+ is not running", result.stderr)


def test_the_session_ends_with_the_container(docker: Docker, sleeper: str) -> None:
    process = docker.start("exec", sleeper, "sleep", "1000")
    eventually(lambda: "sleep 1000\n" in docker("top", sleeper) + "\n" and inspect(docker, sleeper)["ExecIDs"])
    docker("kill", sleeper)
    process.communicate(timeout=30)
    assert process.returncode == 137


def test_a_client_that_goes_away_ends_nothing(docker: Docker, sleeper: str) -> None:
    process = docker.start("exec", sleeper, "sh", "-c", "while [ ! -e /go ]; do sleep 0.05; done; touch /survived")
    eventually(lambda: inspect(docker, sleeper)["ExecIDs"])
    process.kill()
    process.communicate()
    docker("exec", sleeper, "touch", "/go")
    eventually(lambda: "survived" in docker("exec", sleeper, "ls", "/"))


def test_background_processes_do_not_hold_the_session(docker: Docker, sleeper: str) -> None:
    result = docker.run("exec", sleeper, "sh", "-c", "sleep 1000 >/dev/null 2>&1 </dev/null & echo started")
    assert (result.stdout, result.returncode) == (b"started\n", 0)


def test_many_at_once(docker: Docker, sleeper: str) -> None:
    processes = [docker.start("exec", sleeper, "sh", "-c", f"echo {n}; exit {n}") for n in range(8)]
    for number, process in enumerate(processes):
        output, _ = process.communicate(timeout=60)
        assert (output, process.returncode) == (f"{number}\n".encode(), number)


def test_inspect_is_clean_afterwards(docker: Docker, sleeper: str) -> None:
    docker("exec", sleeper, "true")
    eventually(lambda: not json.loads(docker("inspect", sleeper))[0]["ExecIDs"])
