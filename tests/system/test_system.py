"""info, version, system df and stats."""

from __future__ import annotations

import json
import os
import platform
import re

from tests.support.docker import Docker
from tests.system.waiting import JSON, eventually


def test_version(docker: Docker) -> None:
    found = json.loads(docker("version", "--format", JSON))
    server = found["Server"]
    assert (server["Os"], server["KernelVersion"]) == ("linux", platform.release())
    assert tuple(map(int, server["ApiVersion"].split("."))) >= (1, 41)
    assert tuple(map(int, server["MinAPIVersion"].split("."))) <= (1, 24)


def test_info(docker: Docker, idle: str) -> None:
    found = json.loads(docker("info", "--format", JSON))
    assert (found["OSType"], found["NCPU"], found["Name"]) == ("linux", os.cpu_count(), platform.node())
    assert found["ContainersRunning"] >= 1
    assert found["Containers"] == found["ContainersRunning"] + found["ContainersPaused"] + found["ContainersStopped"]
    assert found["Images"] >= 1
    assert "local" in found["Plugins"]["Volume"]
    assert {"bridge", "host", "null"} <= set(found["Plugins"]["Network"])
    assert found["MemTotal"] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert not found.get("ServerErrors")


def test_counts_follow_the_containers(docker: Docker, sleeper: str) -> None:
    def running() -> int:
        return int(docker("info", "--format", "{{.ContainersRunning}}"))

    before = running()
    docker("kill", sleeper)
    eventually(lambda: running() == before - 1)


def test_df(docker: Docker, image: str, idle: str) -> None:
    docker("volume", "create", "counted")
    docker("run", "--rm", "-v", "counted:/v", image, "sh", "-c", "head -c 3000000 /dev/zero > /v/file")
    docker("run", "--name", "writer", image, "sh", "-c", "head -c 2000000 /dev/zero > /file")
    kinds = docker("system", "df", "--format", "{{.Type}}").splitlines()
    assert kinds == ["Images", "Containers", "Local Volumes", "Build Cache"]
    detail = docker("system", "df", "-v")
    assert re.search(r"^counted +0 +3MB$", detail, re.MULTILINE)
    assert re.search(r"2MB .*writer$", detail, re.MULTILINE)


def test_stats_of_one_moment(docker: Docker, idle: str) -> None:
    line = json.loads(docker("stats", "--no-stream", "--format", JSON, idle))
    assert (line["Name"], line["ID"]) == ("idle", idle[:12])
    assert re.fullmatch(r"\d+\.\d\d%", line["CPUPerc"])
    assert re.fullmatch(r"[\d.]+[KM]?i?B / [\d.]+GiB", line["MemUsage"])
    assert line["PIDs"] == "1"


def test_stats_show_work(docker: Docker, image: str) -> None:
    docker("run", "-d", "--name", "busy", "-m", "64m", image, "sh", "-c", "while :; do :; done")
    line = json.loads(docker("stats", "--no-stream", "--format", JSON, "busy"))
    assert float(line["CPUPerc"].rstrip("%")) > 5
    assert line["MemUsage"].endswith(" / 64MiB")


def test_stats_of_a_stopped_container(docker: Docker, image: str) -> None:
    docker("create", "--name", "still", image)
    line = json.loads(docker("stats", "--no-stream", "--format", JSON, "still"))
    assert line["MemUsage"] in ("0B / 0B", "-- / --")


def test_stats_follow(docker: Docker, idle: str) -> None:
    process = docker.start("stats", "--format", "{{.Name}}", idle)
    assert process.stdout is not None
    try:
        seen = ""
        while seen.count("idle") < 2:
            seen += process.stdout.readline().decode()
    finally:
        process.kill()
        process.communicate()


def test_system_prune(docker: Docker, image: str) -> None:
    identity = docker("create", "--label", "prune-me", image)
    output = docker("system", "prune", "-f", "--filter", "label=prune-me")
    assert identity in output
    assert "Total reclaimed space: " in output
