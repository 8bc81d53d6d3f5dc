"""docker events."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.support.docker import Docker
from tests.system.waiting import JSON, eventually


def events(docker: Docker, since: float, *filters: str) -> list[dict[str, Any]]:
    """What has happened since a moment, asked for afterwards."""
    words = [word for each in filters for word in ("--filter", each)]
    lines = docker("events", "--since", f"{since:.9f}", "--until", f"{time.time():.9f}", "--format", JSON, *words)
    return [json.loads(line) for line in lines.splitlines()]


def actions(docker: Docker, since: float, *filters: str) -> list[str]:
    return [event["Action"] for event in events(docker, since, *filters)]


def test_the_life_of_a_container(docker: Docker, image: str) -> None:
    since = time.time()
    identity = docker("create", "--name", "watched", "--label", "l=1", image, "sh", "-c", "exit 4")
    docker("start", "watched")
    docker("wait", "watched")
    docker("rm", "watched")
    chosen = events(docker, since, f"container={identity}", "type=container")
    assert [event["Action"] for event in chosen] == ["create", "start", "die", "destroy"]
    attributes = chosen[2]["Actor"]["Attributes"]
    assert attributes["exitCode"] == "4"
    assert (attributes["name"], attributes["image"], attributes["l"]) == ("watched", image, "1")
    assert {event["Actor"]["ID"] for event in chosen} == {identity}
    assert [event["timeNano"] for event in chosen] == sorted(event["timeNano"] for event in chosen)


def test_stop_kill_pause_and_rename(docker: Docker, sleeper: str) -> None:
    identity = docker("ps", "-q", "--no-trunc", "--filter", f"name={sleeper}")
    since = time.time()
    docker("pause", sleeper)
    docker("unpause", sleeper)
    docker("rename", sleeper, "renamed")
    docker("stop", "-t", "0", "renamed")
    found = actions(docker, since, f"container={identity}", "type=container")
    assert found[:3] == ["pause", "unpause", "rename"]
    assert sorted(found[3:]) in (["die", "kill", "kill", "stop"], ["die", "kill", "stop"])


def test_networks_and_volumes(docker: Docker, image: str) -> None:
    since = time.time()
    docker("run", "--name", "joined", "-v", "seen:/data", image, "true")
    assert actions(docker, since, "type=network") == ["connect", "disconnect"]
    assert actions(docker, since, "type=volume", "volume=seen") == ["create", "mount", "unmount"]
    mount = events(docker, since, "type=volume", "event=mount")[0]["Actor"]["Attributes"]
    assert (mount["destination"], mount["driver"], mount["read/write"]) == ("/data", "local", "true")


def test_exec(docker: Docker, sleeper: str) -> None:
    since = time.time()
    docker.run("exec", sleeper, "sh", "-c", "exit 3")
    eventually(lambda: "exec_die" in " ".join(actions(docker, since, f"container={sleeper}")))
    found = events(docker, since, f"container={sleeper}")
    assert [event["Action"].split(":")[0] for event in found] == ["exec_create", "exec_start", "exec_die"]
    assert found[0]["Action"] == "exec_create: sh -c exit 3"
    assert found[2]["Actor"]["Attributes"]["exitCode"] == "3"


def test_images(docker: Docker, image: str) -> None:
    since = time.time()
    docker("tag", image, "muelle-system/events:1")
    docker("rmi", "muelle-system/events:1")
    assert actions(docker, since, "type=image", "event=tag", "event=untag") == ["tag", "untag"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["event=start", "event=die"], ["start", "die"]),
        (["image=IMAGE", "event=create"], ["create"]),
        (["label=l=1", "event=create"], ["create"]),
        (["label=l=2"], []),
        (["type=daemon"], []),
    ],
)
def test_filters(docker: Docker, image: str, filters: list[str], expected: list[str]) -> None:
    since = time.time()
    docker("run", "--name", "watched", "--label", "l=1", image, "true")
    assert actions(docker, since, *(each.replace("IMAGE", image) for each in filters)) == expected


def test_live(docker: Docker, image: str) -> None:
    process = docker.start("events", "--filter", "label=live", "--filter", "type=container", "--format", "{{.Action}}")
    assert process.stdout is not None
    try:
        time.sleep(0.3)  # the command says nothing when it has subscribed
        docker("run", "--rm", "--label", "live", image, "true")
        seen: list[bytes] = []
        while b"destroy\n" not in seen:
            seen.append(process.stdout.readline())
        assert seen[0] == b"create\n"
        assert seen.index(b"start\n") < seen.index(b"die\n")
    finally:
        process.kill()
        process.communicate()


def test_old_events_then_live_ones(docker: Docker, image: str) -> None:
    since = time.time()
    docker("create", "--label", "both", image)
    process = docker.start(
        "events", "--since", f"{since:.9f}", "--until", f"{time.time() + 2:.9f}", "--filter", "label=both",
        "--format", "{{.Action}}",
    )  # fmt: skip
    docker("create", "--label", "both", image)
    output, _ = process.communicate(timeout=30)
    assert output == b"create\ncreate\n"


def test_bad_times(docker: Docker) -> None:
    assert docker.run("events", "--since", "whenever", "--until", "0").returncode == 1
