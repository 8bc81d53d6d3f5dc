"""The process's one sampler, fed by what the database says is running."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.conf import settings

from controlpanel.objects import states
from controlpanel.objects.models import Container, Endpoint
from controlpanel.panel.sampler import Sampler
from engine.containers import stats
from engine.errors import NotFound

Sample = dict[str, Any]

_samplers: WeakKeyDictionary[asyncio.AbstractEventLoop, Sampler] = WeakKeyDictionary()


def sampler() -> Sampler:
    """The sampler of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _samplers:
        _samplers[loop] = Sampler(read_all)
    return _samplers[loop]


async def read_all() -> dict[str, Sample]:
    """A sample of every running container. The queries go to Django's thread, the files to another."""
    interfaces = await sync_to_async(_running)()
    return await asyncio.to_thread(_read, interfaces)


def _running() -> dict[str, dict[str, str]]:
    """Interfaces by container: ``{id: {"eth0": "veth1a2b"}}``. Two queries."""
    alive = Container.objects.filter(node_id=settings.MUELLE_NODE, status__in=states.ALIVE)
    found: dict[str, dict[str, str]] = {container_id: {} for container_id in alive.values_list("pk", flat=True)}
    rows = Endpoint.objects.filter(container_id__in=found).exclude(host_interface="").order_by("pk")
    for container_id, interface in rows.values_list("container_id", "host_interface"):
        ours = found[container_id]
        ours[f"eth{len(ours)}"] = interface
    return found


def _read(interfaces: dict[str, dict[str, str]]) -> dict[str, Sample]:
    samples: dict[str, Sample] = {}
    for container_id, names in interfaces.items():
        try:
            samples[container_id] = stats.read(f"{settings.MUELLE_LAYOUT.cgroup_parent}/{container_id}", names)
        except (NotFound, OSError):
            # It has just ended: its cgroup or its interface went first.
            continue
    return samples
