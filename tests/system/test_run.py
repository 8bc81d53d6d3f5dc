"""docker run: what goes in, what comes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.system.waiting import api_version, eventually, inspect


def test_output_streams_and_exit_code(docker: Docker, image: str) -> None:
    result = docker.run("run", "--rm", image, "sh", "-c", "echo out; echo err >&2; exit 42")
    assert (result.stdout, result.stderr, result.returncode) == (b"out\n", b"err\n", 42)


def test_detached_prints_the_id(docker: Docker, image: str) -> None:
    identity = docker("run", "-d", image, "sleep", "100")
    assert len(identity) == 64
    assert docker("ps", "-q", "--no-trunc", "--filter", f"id={identity}") == identity


def test_stdin_reaches_the_process_and_ends(docker: Docker, image: str) -> None:
    data = "line\n" * 50_000
    assert docker("run", "--rm", "-i", image, "wc", "-c", stdin=data) == str(len(data))


def test_without_i_there_is_no_stdin(docker: Docker, image: str) -> None:
    assert docker("run", "--rm", image, "wc", "-c", stdin="ignored") == "0"


def test_binary_output_is_untouched(docker: Docker, image: str) -> None:
    data = bytes(range(256)) * 1000
    assert docker.run("run", "--rm", "-i", image, "cat", stdin=data).stdout == data


def test_rm_removes_the_container_and_its_anonymous_volume(docker: Docker, image: str) -> None:
    before = docker("volume", "ls", "-q")
    docker("run", "--rm", "--name", "gone", "-v", "/data", image, "true")
    eventually(lambda: docker("ps", "-aq", "--filter", "name=gone") == "")
    eventually(lambda: docker("volume", "ls", "-q") == before)


def test_a_name_is_taken_once(docker: Docker, image: str) -> None:
    docker("create", "--name", "mine", image)
    result = docker.run("run", "--rm", "--name", "mine", image, "true")
    assert result.returncode == 125
    assert b'Conflict. The container name "/mine" is already in use by container' in result.stderr


def test_environment(docker: Docker, image: str, tmp_path: Path) -> None:
    listing = tmp_path / "variables"
    listing.write_text("FROM_FILE=1\n# comment\n")
    words = ("-e", "A=1", "-e", "EMPTY=", "-e", "SPACES=a b", "--env-file", str(listing), "-e", "HOME=/tmp")
    environment = docker("run", "--rm", "-h", "box", *words, image, "env").splitlines()
    assert {"A=1", "EMPTY=", "SPACES=a b", "FROM_FILE=1", "HOME=/tmp", "HOSTNAME=box"} <= set(environment)
    assert any(line.startswith("PATH=/usr/local/sbin:") for line in environment)


def test_working_directory_is_made(docker: Docker, image: str) -> None:
    assert docker("run", "--rm", "-w", "/new/dir", image, "pwd") == "/new/dir"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("nobody", "65534:65534"),
        ("1234", "1234:0"),
        ("1234:5678", "1234:5678"),
        ("nobody:root", "65534:0"),
    ],
)
def test_user(docker: Docker, image: str, user: str, expected: str) -> None:
    assert docker("run", "--rm", "-u", user, image, "sh", "-c", "echo $(id -u):$(id -g)") == expected


def test_home_follows_the_user(docker: Docker, image: str) -> None:
    assert docker("run", "--rm", "-u", "nobody", image, "sh", "-c", "echo $HOME") == "/home"


def test_unknown_user(docker: Docker, image: str) -> None:
    result = docker.run("run", "--rm", "-u", "stranger", image, "true")
    assert result.returncode == 125
    assert b"unable to find user stranger: no matching entries in passwd file" in result.stderr


def test_entrypoint(docker: Docker, image: str) -> None:
    assert docker("run", "--rm", "--entrypoint", "echo", image, "-n", "a b") == "a b"
    assert docker("run", "--rm", "--entrypoint", "", image, "echo", "plain") == "plain"


def test_hostname(docker: Docker, image: str) -> None:
    script = "hostname; cat /etc/hostname; grep box /etc/hosts"
    name, file, hosts = docker("run", "--rm", "-h", "box", image, "sh", "-c", script).splitlines()
    assert (name, file) == ("box", "box")
    assert hosts.split()[1:] == ["box"]


def test_the_default_hostname_is_the_short_id(docker: Docker, image: str) -> None:
    identity = docker("run", "-d", image, "sleep", "100")
    assert docker("exec", identity, "hostname") == identity[:12]


def test_init_reaps_and_forwards_signals(docker: Docker, image: str) -> None:
    docker("run", "-d", "--init", "--name", "reaped", image, "sleep", "1000")
    assert "sleep" not in docker("exec", "reaped", "cat", "/proc/1/cmdline").split("\0")[0]
    docker("exec", "reaped", "sh", "-c", "(sleep 0.01 &) ; true")
    eventually(lambda: " Z " not in docker("exec", "reaped", "ps", "-o", "pid,stat,comm"))
    docker("stop", "-t", "10", "reaped")
    assert inspect(docker, "reaped")["State"]["ExitCode"] == 143


def test_read_only(docker: Docker, image: str) -> None:
    options = ("--rm", "--read-only", "--tmpfs", "/scratch")
    result = docker.run("run", *options, image, "sh", "-c", "touch /scratch/a; touch /b")
    assert result.returncode == 1
    assert b"/b: Read-only file system" in result.stderr
    assert b"scratch" not in result.stderr


def test_labels_and_annotations_of_the_create_call(docker: Docker, image: str, tmp_path: Path) -> None:
    file = tmp_path / "id"
    identity = docker("create", "--label", "a=1", "--label", "b", "--cidfile", str(file), image)
    assert file.read_text() == identity
    assert inspect(docker, identity)["Config"]["Labels"] == {"a": "1", "b": ""}


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("run", "--rm", "--bogus"), 125, b"unknown flag: --bogus"),
        (("run", "--rm", "-m", "1m", "IMAGE", "true"), 125, b"memory limit"),
        (("run", "--rm", "no-such-image:none", "true"), 125, b"no-such-image:none"),
        (("run", "--rm", "IMAGE", "/etc"), 126, b'exec: "/etc": '),
        (("run", "--rm", "IMAGE", "/etc/passwd"), 126, b"permission denied"),
        (("run", "--rm", "IMAGE", "nonsense"), 127, b'exec: "nonsense": executable file not found in $PATH'),
        (("run", "--rm", "IMAGE", "/bin/nonsense"), 127, b"no such file or directory"),
        (("run", "--rm", "IMAGE", "sh", "-c", "sh -c 'kill -9 $$'; exit $?"), 137, b""),
        (("run", "--rm", "IMAGE", "sh", "-c", "exit 255"), 255, b""),
    ],
)
def test_exit_codes(docker: Docker, image: str, words: tuple[str, ...], status: int, text: bytes) -> None:
    result = docker.run(*(image if word == "IMAGE" else word for word in words))
    if words[-1] == "/etc" and api_version(docker) < (1, 42):
        status = 125  # the command of Docker 20.10 does not know the kernel's text for a directory
    assert (result.returncode, text in result.stderr) == (status, True), result.stderr


def test_a_failed_start_leaves_a_created_container(docker: Docker, image: str) -> None:
    assert docker.run("run", "--name", "failed", image, "nonsense").returncode == 127
    found = inspect(docker, "failed")["State"]
    assert (found["Status"], found["ExitCode"], found["Running"]) == ("created", 127, False)
    assert "executable file not found" in found["Error"]


def test_killed_from_outside(docker: Docker, image: str) -> None:
    process = docker.start("run", "--rm", "--name", "victim", image, "sleep", "100")
    eventually(lambda: docker("ps", "-q", "--filter", "name=victim"))
    docker("kill", "victim")
    process.communicate(timeout=30)
    assert process.returncode == 137


def test_signals_are_passed_on(docker: Docker, image: str) -> None:
    script = "trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    process = docker.start("run", "--rm", image, "sh", "-c", script)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    output, _ = process.communicate(timeout=30)
    assert (output, process.returncode) == (b"got it\n", 3)


def test_much_output_arrives_whole(docker: Docker, image: str) -> None:
    output = docker("run", "--rm", image, "seq", "200000")
    assert output.count("\n") == 199_999
    assert output.endswith("\n200000")
