"""docker ps: filters, formats and order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.docker import Docker
from tests.system.waiting import JSON, api_version

if TYPE_CHECKING:
    from tests.support.installation import Installation

LABEL = "suite=listing"


@pytest.fixture(scope="module")
def containers(installation: Installation, image: str) -> Iterator[dict[str, str]]:
    """One container of each kind: name to ID."""
    docker = installation.docker()
    label = ("--label", LABEL)
    made = {"list-created": docker("create", *label, "--name", "list-created", image, "true")}
    made["list-running"] = docker(
        "run", "-d", *label, "--label", "color=blue", "--name", "list-running", "-p", "127.0.0.1::80", "--expose", "81",
        "-v", "/list-data", image, "sleep", "1000",
    )  # fmt: skip
    made["list-exited"] = docker("run", "-d", *label, "--name", "list-exited", image, "sh", "-c", "exit 3")
    docker("wait", "list-exited")
    made["list-paused"] = docker("run", "-d", *label, "--name", "list-paused", image, "sleep", "1000")
    docker("pause", "list-paused")
    yield made
    docker("rm", "-f", "-v", *made)


def names(docker: Docker, *filters: str) -> list[str]:
    words = [word for each in (f"label={LABEL}", *filters) for word in ("--filter", each)]
    return docker("ps", "-a", *words, "--format", "{{.Names}}").split()


def test_newest_first(docker: Docker, containers: dict[str, str]) -> None:
    assert names(docker) == list(reversed(containers))


def test_without_a_only_running_ones(docker: Docker, containers: dict[str, str]) -> None:
    listed = docker("ps", "--filter", f"label={LABEL}", "--format", "{{.Names}}").split()
    assert listed == ["list-paused", "list-running"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["status=running"], ["list-running"]),
        (["status=exited"], ["list-exited"]),
        (["status=created", "status=paused"], ["list-paused", "list-created"]),
        (["exited=3"], ["list-exited"]),
        (["exited=4"], []),
        (["name=list-ex"], ["list-exited"]),
        (["name=^/list-exited$"], ["list-exited"]),
        (["name=st-running", "name=paused"], ["list-paused", "list-running"]),
        (["label=color"], ["list-running"]),
        (["label=color=blue"], ["list-running"]),
        (["label=color=red"], []),
        (["since=list-running"], ["list-paused", "list-exited"]),
        (["before=list-running"], ["list-created"]),
        (["ancestor=IMAGE", "status=exited"], ["list-exited"]),
        (["ancestor=nothing-like-it"], []),
        (["volume=/list-data"], ["list-running"]),
        (["network=bridge", "status=running"], ["list-running"]),
        (["network=host"], []),
        (["expose=81"], ["list-running"]),
        (["publish=80"], ["list-running"]),
        (["is-task=true"], []),
        (["health=none", "status=exited"], ["list-exited"]),
    ],
)
def test_filters(
    docker: Docker, image: str, containers: dict[str, str], filters: list[str], expected: list[str]
) -> None:
    if filters == ["publish=80"] and not names(docker, *filters):
        filters = ["publish=" + docker("port", "list-running", "80").rpartition(":")[2]]
    assert names(docker, *(each.replace("IMAGE", image) for each in filters)) == expected


def test_filter_by_id(docker: Docker, containers: dict[str, str]) -> None:
    assert names(docker, f"id={containers['list-exited'][:10]}") == ["list-exited"]


@pytest.mark.parametrize("bad", ["status=flying", "exited=x", "nonsense=1", "since=nobody-at-all"])
def test_bad_filters(docker: Docker, containers: dict[str, str], bad: str) -> None:
    result = docker.run("ps", "--filter", bad)
    assert result.returncode == 1
    assert b"Error response from daemon" in result.stderr


def test_latest_and_last(docker: Docker, containers: dict[str, str]) -> None:
    assert docker("ps", "-l", "--format", "{{.Names}}") == "list-paused"
    assert docker("ps", "-n", "2", "--format", "{{.Names}}").split() == ["list-paused", "list-exited"]


def test_format_json(docker: Docker, containers: dict[str, str], image: str) -> None:
    form = "json" if api_version(docker) >= (1, 42) else JSON
    words = ("ps", "-a", "--no-trunc", "--filter", "name=list-running", "--format", form)
    found = json.loads(docker(*words))
    assert found["ID"] == containers["list-running"]
    assert (found["Image"], found["Command"], found["State"]) == (image, '"sleep 1000"', "running")
    assert re.fullmatch(r"Up (Less than a|\d+) seconds?", found["Status"])
    assert re.fullmatch(r"81/tcp, 127\.0\.0\.1:\d+->80/tcp", found["Ports"])
    assert (found["Networks"], found["LocalVolumes"]) == ("bridge", "1")
    assert set(found["Labels"].split(",")) == {LABEL, "color=blue"}


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("list-created", "Created"),
        ("list-exited", r"Exited \(3\) .* ago"),
        ("list-paused", r"Up .* \(Paused\)"),
    ],
)
def test_status_texts(docker: Docker, containers: dict[str, str], name: str, pattern: str) -> None:
    assert re.fullmatch(pattern, docker("ps", "-a", "--filter", f"name={name}", "--format", "{{.Status}}"))


def test_sizes(docker: Docker, containers: dict[str, str]) -> None:
    listed = docker("ps", "-a", "-s", "--filter", "name=list-exited", "--format", "{{.Size}}")
    assert re.fullmatch(r"\d+(\.\d+)?k?B \(virtual [\d.]+MB\)", listed)
