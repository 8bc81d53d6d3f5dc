"""``GET /containers/{id}/stats``: what a container uses, once a second.

However many clients watch a container, it is sampled once a second in this process, and not at all when nobody does.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpResponse, HttpResponseBase

from controlpanel.access.scope import Scope
from controlpanel.objects.models import Container
from controlpanel.rest import query
from controlpanel.rest.openapi import LINES, Operation, flag
from controlpanel.rest.views import EngineView
from controlpanel.streams.responses import JSON, line, stream
from engine.containers import stats as files
from engine.containers.stats import Sample
from engine.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from rest_framework.request import Request

SECOND = 1.0


class StatsView(EngineView):
    actions = {"GET": "containers.view"}
    operations = {
        "GET": Operation(
            "What a container uses",
            query=(flag("stream", "every second, for ever; the default"), flag("one-shot", "without a sample before")),
            answer=LINES,
            endless=True,
        )
    }

    async def get(self, request: Request, name: str) -> HttpResponseBase:
        streaming = query.flag(request.query_params, "stream", default=True)
        one_shot = query.flag(request.query_params, "one-shot")
        if streaming and one_shot:
            raise InvalidArgument("cannot have stream=true and one-shot=true")
        container = await self.scope.find_container(name, self.action)
        if streaming:
            return stream(_lines(container), JSON)
        return HttpResponse(line(await _single(container, one_shot)), content_type=JSON)


async def samples(container: Container) -> AsyncGenerator[Sample, None]:
    """Docker's stats objects, one a second, from a sampler that all watchers of the container share.

    A container that does not run gives Docker's empty object; the stream ends when the container has been removed.
    """
    sampler = _samplers.get(container.id)
    if sampler is None:
        sampler = _samplers[container.id] = Sampler(container.id)
    while (sample := await sampler.next()) is not None:
        yield sample


class Identity(NamedTuple):
    """What the database says: the container's name, and the host's ends of its interfaces."""

    name: str
    interfaces: dict[str, str]


class Sampler:
    """The samples of one container, taken only while somebody waits for one."""

    def __init__(self, container_id: str) -> None:
        self._id = container_id
        self._identity: Identity | None = None
        self._previous: Sample | None = None
        self._begun = False
        self._taking: asyncio.Task[Sample | None] | None = None

    async def next(self) -> Sample | None:
        """The next sample; None when the container is no more. All who wait at one time get the same."""
        if self._taking is None or self._taking.done():
            self._taking = asyncio.create_task(self._take())
        # A watcher who leaves must not take the sample away from the others.
        return await asyncio.shield(self._taking)

    async def _take(self) -> Sample | None:
        if self._begun:
            await asyncio.sleep(SECOND)
        self._begun = True
        if self._identity is None or not _are_there(self._identity.interfaces):
            # Restarted meanwhile: the container has new interfaces.
            self._identity = await _look_up(self._id)
        current = await asyncio.to_thread(self._read)
        previous, self._previous = self._previous, current
        if self._identity is None:
            return None
        if current is None:
            identity, self._identity = self._identity, None
            return files.stopped(self._id, identity.name)
        return files.document(self._id, self._identity.name, current, previous)

    def _read(self) -> Sample | None:
        if self._identity is None:
            return None
        try:
            return files.read(f"{settings.MUELLE_LAYOUT.cgroup_parent}/{self._id}", self._identity.interfaces)
        except NotFound:
            return None


# A sampler lives as long as a watcher holds it: an old sample would make the next one an average over hours.
_samplers: weakref.WeakValueDictionary[str, Sampler] = weakref.WeakValueDictionary()


@sync_to_async
def _look_up(container_id: str) -> Identity | None:
    scope = Scope.of_engine()
    name = scope.containers().filter(pk=container_id).values_list("name", flat=True).first()
    if name is None:
        return None
    hosts = scope.endpoints().filter(container_id=container_id).exclude(host_interface="").order_by("pk")
    return Identity(name, {f"eth{n}": host for n, host in enumerate(hosts.values_list("host_interface", flat=True))})


def _are_there(interfaces: dict[str, str]) -> bool:
    return all(Path(f"/sys/class/net/{host}").exists() for host in interfaces.values())


async def _lines(container: Container) -> AsyncGenerator[bytes, None]:
    async with aclosing(samples(container)) as watched:
        async for sample in watched:
            yield line(sample)


async def _single(container: Container, one_shot: bool) -> Sample:
    """One object: at once, or when there is a second sample to compare the first with."""
    last = files.stopped(container.id, container.name)
    async with aclosing(samples(container)) as watched:
        async for sample in watched:
            last = sample
            if one_shot or "system_cpu_usage" in sample["precpu_stats"] or not container.is_alive:
                break
    return last
