"""Stats: Docker's objects for what runs and what does not, and one sampler for all who watch."""

from __future__ import annotations

import asyncio

import docker
import docker.errors
import pytest

from controlpanel.streams import stats
from controlpanel.streams.stats import Identity, Sampler
from engine.containers import stats as files
from engine.containers.stats import Sample
from tests.controlpanel.streams.conftest import Make
from tests.support.docker import Docker


def test_a_stopped_container_gives_zeros(client: docker.APIClient, make: Make) -> None:
    container = make(status="exited", previous_status="exited")
    sample = client.stats(container, stream=False)
    assert sample["id"] == container
    assert sample["name"] == f"/c-{container[:8]}"
    assert sample["cpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert sample["memory_stats"] == {}


def test_the_docker_command_shows_a_stopped_container(cli: Docker, make: Make) -> None:
    container = make(status="exited", previous_status="exited")
    assert cli("stats", "--no-stream", "--format={{.Name}} {{.MemUsage}}", container) == f"c-{container[:8]} 0B / 0B"


def test_streaming_and_one_shot_exclude_each_other(client: docker.APIClient, make: Make) -> None:
    with pytest.raises(docker.errors.APIError, match="cannot have stream=true and one-shot=true"):
        client._result(client._get(client._url("/containers/{0}/stats?one-shot=1", make())), json=True)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A container whose processor time grows by one with each sample; the list holds one entry a sample."""
    taken: list[int] = []

    def read(path: str, interfaces: dict[str, str]) -> Sample:
        taken.append(len(taken))
        return {"read": str(len(taken)), "cpu_stats": {"cpu_usage": len(taken), "system_cpu_usage": 1}}

    async def look_up(container_id: str) -> Identity:
        return Identity("name", {})

    monkeypatch.setattr(files, "read", read)
    monkeypatch.setattr(stats, "_look_up", look_up)
    monkeypatch.setattr(stats, "SECOND", 0.01)
    return taken


async def test_watchers_share_the_samples(readings: list[int]) -> None:
    sampler = Sampler("id")
    first = await asyncio.gather(*(sampler.next() for _ in range(10)))
    second = await asyncio.gather(*(sampler.next() for _ in range(10)))
    assert len(readings) == 2
    assert all(each is first[0] for each in first)
    assert second[0] is not None
    assert second[0]["precpu_stats"]["cpu_usage"] == 1
    assert second[0]["preread"] == "1"


async def test_a_watcher_who_leaves_disturbs_nobody(readings: list[int]) -> None:
    sampler = Sampler("id")
    await sampler.next()
    leaving = asyncio.create_task(sampler.next())
    staying = asyncio.create_task(sampler.next())
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying is not None
    assert len(readings) == 2
