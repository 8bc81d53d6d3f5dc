"""create, start, stop, kill, restart, pause, rename, wait, top, update, rm and restart policies."""

from __future__ import annotations

import re
import time

import pytest

from tests.support.docker import Docker
from tests.system.waiting import eventually, inspect, state

ZERO_TIME = "0001-01-01T00:00:00Z"
OBEDIENT = "trap 'exit 7' TERM; trap 'exit 8' USR1; while :; do sleep 0.05; done"


def test_create_then_start(docker: Docker, image: str) -> None:
    identity = docker("create", "--name", "made", image, "sh", "-c", "echo ran; exit 5")
    found = inspect(docker, identity)
    assert (found["State"]["Status"], found["State"]["StartedAt"], found["Name"]) == ("created", ZERO_TIME, "/made")
    assert docker("start", "made") == "made"
    eventually(lambda: state(docker, "made") == "exited")
    after = inspect(docker, "made")["State"]
    assert (after["ExitCode"], after["Pid"], after["Running"]) == (5, 0, False)
    assert after["StartedAt"] < after["FinishedAt"]


def test_start_attached(docker: Docker, image: str) -> None:
    docker("create", "--name", "made", image, "sh", "-c", "echo out; echo err >&2; exit 5")
    for _ in range(2):
        result = docker.run("start", "-a", "made")
        assert (result.stdout, result.stderr, result.returncode) == (b"out\n", b"err\n", 5)


def test_start_interactive(docker: Docker, image: str) -> None:
    docker("create", "-i", "--name", "made", image, "tr", "a-z", "A-Z")
    assert docker("start", "-a", "-i", "made", stdin="hello") == "HELLO"


def test_starting_a_running_container_changes_nothing(docker: Docker, sleeper: str) -> None:
    before = inspect(docker, sleeper)["State"]
    assert docker("start", sleeper) == sleeper
    assert inspect(docker, sleeper)["State"] == before


def test_stop_sends_the_signal_and_waits(docker: Docker, image: str) -> None:
    docker("run", "-d", "--name", "obedient", image, "sh", "-c", OBEDIENT)
    assert docker("stop", "obedient") == "obedient"
    assert inspect(docker, "obedient")["State"]["ExitCode"] == 7
    assert docker("stop", "obedient") == "obedient"


def test_stop_kills_after_the_grace_period(docker: Docker, sleeper: str) -> None:
    before = time.monotonic()
    docker("stop", "-t", "1", sleeper)
    assert time.monotonic() - before >= 1
    found = inspect(docker, sleeper)["State"]
    assert (found["ExitCode"], found["Status"]) == (137, "exited")


def test_stop_signal_of_the_container(docker: Docker, image: str) -> None:
    docker("run", "-d", "--name", "obedient", "--stop-signal", "USR1", image, "sh", "-c", OBEDIENT)
    docker("stop", "obedient")
    assert inspect(docker, "obedient")["State"]["ExitCode"] == 8


@pytest.mark.parametrize("signal", ["USR1", "SIGUSR1", "10"])
def test_kill_with_a_signal(docker: Docker, image: str, signal: str) -> None:
    docker("run", "-d", "--name", "obedient", image, "sh", "-c", OBEDIENT)
    docker("kill", "-s", signal, "obedient")
    assert docker("wait", "obedient") == "8"


def test_kill(docker: Docker, sleeper: str) -> None:
    docker("kill", sleeper)
    assert docker("wait", sleeper) == "137"
    again = docker.run("kill", sleeper)
    assert again.returncode == 1
    assert b"is not running" in again.stderr


def test_restart(docker: Docker, sleeper: str) -> None:
    before = inspect(docker, sleeper)["State"]
    docker("restart", "-t", "0", sleeper)
    after = inspect(docker, sleeper)["State"]
    assert after["Running"]
    assert after["Pid"] != before["Pid"]
    assert after["StartedAt"] > before["StartedAt"]


def test_restart_starts_a_stopped_container(docker: Docker, sleeper: str) -> None:
    docker("kill", sleeper)
    docker("restart", sleeper)
    assert state(docker, sleeper) == "running"


def test_files_survive_a_restart(docker: Docker, sleeper: str) -> None:
    docker("exec", sleeper, "sh", "-c", "echo kept > /root/file")
    docker("restart", "-t", "0", sleeper)
    assert docker("exec", sleeper, "cat", "/root/file") == "kept"


def test_pause(docker: Docker, sleeper: str) -> None:
    docker("pause", sleeper)
    assert state(docker, sleeper) == "paused"
    assert "(Paused)" in docker("ps", "--filter", f"name={sleeper}", "--format", "{{.Status}}")
    refused = docker.run("exec", sleeper, "true")
    assert b"is paused, unpause the container before exec" in refused.stderr
    assert b"is already paused" in docker.run("pause", sleeper).stderr
    docker("unpause", sleeper)
    assert docker("exec", sleeper, "echo", "alive") == "alive"
    assert b"is not paused" in docker.run("unpause", sleeper).stderr


def test_a_paused_container_can_be_stopped_and_removed(docker: Docker, sleeper: str) -> None:
    docker("pause", sleeper)
    docker("rm", "-f", sleeper)
    assert docker("ps", "-aq", "--filter", f"name={sleeper}") == ""


def test_rename(docker: Docker, sleeper: str) -> None:
    docker("rename", sleeper, "renamed")
    assert docker("exec", "renamed", "echo", "here") == "here"
    assert b"No such container: sleeper" in docker.run("stop", sleeper).stderr
    docker("rename", "renamed", sleeper)


def test_rename_to_a_name_in_use(docker: Docker, sleeper: str, idle: str) -> None:
    result = docker.run("rename", sleeper, "idle")
    assert result.returncode == 1
    assert b'The container name "/idle" is already in use by container' in result.stderr


def test_wait(docker: Docker, image: str) -> None:
    docker("create", "--name", "short", image, "sh", "-c", "sleep 0.3; exit 9")
    process = docker.start("wait", "short")
    docker("start", "short")
    output, _ = process.communicate(timeout=30)
    assert output in (b"9\n", b"0\n")  # a container that is only created counts as ended
    assert docker("wait", "short") == "9"


def test_top(docker: Docker, sleeper: str) -> None:
    lines = docker("top", sleeper).splitlines()
    assert lines[0].split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert lines[1].endswith("sleep 100000")
    assert docker("top", sleeper, "-o", "pid,comm").splitlines()[1].split()[1] == "sleep"


def test_top_of_a_stopped_container(docker: Docker, image: str) -> None:
    docker("create", "--name", "still", image)
    assert re.search(rb"[Cc]ontainer \w+ is not running", docker.run("top", "still").stderr)


def test_update(docker: Docker, sleeper: str) -> None:
    docker("update", "--memory", "64m", "--memory-swap", "-1", "--restart", "on-failure:3", sleeper)
    found = inspect(docker, sleeper)["HostConfig"]
    assert (found["Memory"], found["RestartPolicy"]) == (64 << 20, {"Name": "on-failure", "MaximumRetryCount": 3})
    script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"
    assert docker("exec", sleeper, "sh", "-c", script) == str(64 << 20)


def test_rm_refuses_a_running_container(docker: Docker, sleeper: str) -> None:
    result = docker.run("rm", sleeper)
    assert result.returncode == 1
    assert re.search(rb"cannot remove (a running )?container", result.stderr)
    assert docker("rm", "-f", sleeper) == sleeper


def test_rm_by_id_prefix_and_several_at_once(docker: Docker, image: str) -> None:
    first, second = (docker("create", image) for _ in range(2))
    assert docker("rm", first[:12], second).split() == [first[:12], second]


def test_what_does_not_exist(docker: Docker) -> None:
    for words in (("start",), ("stop",), ("rm",), ("logs",), ("pause",), ("wait",), ("inspect", "--type", "container")):
        result = docker.run(*words, "nobody")
        assert result.returncode == 1
        assert b"No such container: nobody" in result.stderr


def test_restart_policy_always(docker: Docker, image: str) -> None:
    docker("run", "-d", "--restart", "always", "--name", "phoenix", image, "sh", "-c", "sleep 0.2; exit 1")
    eventually(lambda: inspect(docker, "phoenix")["RestartCount"] >= 2)
    docker("stop", "-t", "0", "phoenix")
    assert state(docker, "phoenix") == "exited"
    count = inspect(docker, "phoenix")["RestartCount"]
    time.sleep(0.5)
    assert (state(docker, "phoenix"), inspect(docker, "phoenix")["RestartCount"]) == ("exited", count)


def test_restart_policy_on_failure(docker: Docker, image: str) -> None:
    docker("run", "-d", "--restart", "on-failure:2", "--name", "phoenix", image, "false")
    eventually(lambda: state(docker, "phoenix") == "exited")
    assert inspect(docker, "phoenix")["RestartCount"] == 2
    docker("run", "-d", "--restart", "on-failure:2", "--name", "content", image, "true")
    eventually(lambda: state(docker, "content") == "exited")
    assert inspect(docker, "content")["RestartCount"] == 0


def test_restart_policy_unless_stopped_survives_a_kill(docker: Docker, image: str) -> None:
    docker("run", "-d", "--restart", "unless-stopped", "--name", "phoenix", image, "sh", "-c", "sleep 0.2")
    eventually(lambda: inspect(docker, "phoenix")["RestartCount"] >= 1)
    docker("kill", "phoenix") if state(docker, "phoenix") == "running" else docker("stop", "-t", "0", "phoenix")
    eventually(lambda: state(docker, "phoenix") == "exited")


def test_restart_and_rm_do_not_go_together(docker: Docker, image: str) -> None:
    result = docker.run("run", "--rm", "--restart", "always", image, "true")
    assert result.returncode == 125


def test_container_prune(docker: Docker, image: str, sleeper: str) -> None:
    label = ("--label", "prune-me")
    docker("create", *label, image)
    output = docker("container", "prune", "-f", "--filter", "label=prune-me")
    assert "Total reclaimed space: " in output
    assert docker("ps", "-aq", "--filter", "label=prune-me") == ""
    assert state(docker, sleeper) == "running"
