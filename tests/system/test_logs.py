"""docker logs."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from tests.support.docker import Docker
from tests.system.waiting import eventually, state

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")


@pytest.fixture
def talker(docker: Docker, image: str) -> str:
    """Ten lines on stdout, one on stderr; ended."""
    docker("run", "--name", "talker", image, "sh", "-c", "seq 10; echo oops >&2")
    return "talker"


def test_all(docker: Docker, talker: str) -> None:
    result = docker.run("logs", talker)
    assert result.stdout.decode().split() == [str(number) for number in range(1, 11)]
    assert result.stderr == b"oops\n"


@pytest.mark.parametrize(("tail", "count"), [("0", 0), ("3", 3), ("11", 11), ("100", 11), ("all", 11)])
def test_tail(docker: Docker, talker: str, tail: str, count: int) -> None:
    result = docker.run("logs", "--tail", tail, talker)
    assert len((result.stdout + result.stderr).splitlines()) == count


def test_timestamps_and_details(docker: Docker, talker: str) -> None:
    lines = docker("logs", "-t", talker).splitlines()
    assert all(STAMP.match(line) for line in lines)
    stamps = [line.split()[0] for line in lines]
    assert sorted(stamps) == stamps
    assert docker("logs", "--details", talker).splitlines()[0].strip() == "1"


def test_since_and_until(docker: Docker, image: str) -> None:
    docker("run", "--name", "slow", image, "sh", "-c", "echo one; sleep 0.4; echo two; sleep 0.4; echo three")
    stamps = [line.split()[0] for line in docker("logs", "-t", "slow").splitlines()]
    assert docker("logs", "--since", stamps[1], "slow").split() == ["two", "three"]
    assert docker("logs", "--until", stamps[1], "slow").split() in (["one"], ["one", "two"])
    assert docker("logs", "--since", stamps[2], "--until", stamps[0], "slow") == ""
    assert docker("logs", "--since", "10m", "slow").split() == ["one", "two", "three"]
    later = str(int(datetime.fromisoformat(stamps[2]).timestamp()) + 100)
    assert docker("logs", "--since", later, "slow") == ""


def test_follow_ends_with_the_container(docker: Docker, image: str) -> None:
    docker("run", "-d", "--name", "counter", image, "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done")
    assert docker("logs", "-f", "counter").split() == ["1", "2", "3"]


def test_follow_from_the_tail(docker: Docker, image: str) -> None:
    script = "echo old; echo older; while [ ! -e /go ]; do sleep 0.05; done; echo new"
    docker("run", "-d", "--name", "counter", image, "sh", "-c", script)
    eventually(lambda: docker("logs", "counter").split() == ["old", "older"])
    process = docker.start("logs", "-f", "--tail", "1", "counter")
    assert process.stdout is not None
    assert process.stdout.readline() == b"older\n"
    docker("exec", "counter", "touch", "/go")
    output, _ = process.communicate(timeout=30)
    assert output == b"new\n"


def test_following_a_stopped_container_ends(docker: Docker, talker: str) -> None:
    assert len(docker("logs", "-f", talker).splitlines()) == 10


def test_logs_go_on_after_a_restart(docker: Docker, image: str) -> None:
    docker("run", "--name", "twice", image, "echo", "again")
    docker("start", "-a", "twice")
    assert docker("logs", "twice").split() == ["again", "again"]


def test_a_line_without_end_and_a_long_line(docker: Docker, image: str) -> None:
    script = "head -c 100000 /dev/zero | tr '\\0' x; echo; printf tail"
    docker("run", "--name", "lines", image, "sh", "-c", script)
    assert docker.run("logs", "lines").stdout == b"x" * 100_000 + b"\ntail"


def test_many_lines_are_all_there(docker: Docker, image: str) -> None:
    docker("run", "--name", "many", image, "seq", "100000")
    assert docker("logs", "many").split() == [str(number) for number in range(1, 100_001)]
    assert docker("logs", "--tail", "2", "many").split() == ["99999", "100000"]


def test_logs_of_a_terminal_are_raw(docker: Docker, image: str) -> None:
    docker("run", "-d", "-t", "--name", "screen", image, "echo", "hello")
    eventually(lambda: state(docker, "screen") == "exited")
    assert docker.run("logs", "screen").stdout == b"hello\r\n"


def test_driver_none(docker: Docker, image: str) -> None:
    assert docker("run", "--name", "mute", "--log-driver", "none", image, "echo", "seen") == "seen"
    result = docker.run("logs", "mute")
    assert result.returncode == 1
    assert b"configured logging driver does not support reading" in result.stderr


@pytest.mark.parametrize("words", [("--tail", "x"), ("--since", "yesterday")])
def test_bad_options(docker: Docker, talker: str, words: tuple[str, str]) -> None:
    result = docker.run("logs", *words, talker)
    # Docker takes a tail that is no number for "all".
    assert result.returncode == (0 if words[0] == "--tail" else 1)
