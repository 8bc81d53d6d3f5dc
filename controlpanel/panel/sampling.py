"""The process's one sampler, fed by what the database says is running and by a process that reads the counters."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from weakref import WeakKeyDictionary

import orjson
from asgiref.sync import sync_to_async
from django.conf import settings

from controlpanel.access.scope import Scope
from controlpanel.objects import states
from controlpanel.panel.sampler import Sampler
from controlpanel.panel.usage import Reading
from engine.errors import SystemFailure

PROGRAM = "engine.containers.sampler"
MAX_ANSWER = 16 * 1024 * 1024

_samplers: WeakKeyDictionary[asyncio.AbstractEventLoop, Sampler] = WeakKeyDictionary()


def sampler() -> Sampler:
    """The sampler of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _samplers:
        reader = Reader()
        _samplers[loop] = Sampler(reader.read_all, reader.close)
    return _samplers[loop]


class Reader:
    """Asks a process of its own, which is started when it is first needed and again after it failed.

    A pass over a thousand containers would keep the event loop's interpreter busy for longer than a request takes.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def read_all(self) -> dict[str, Reading]:
        """What each running container has used so far. One that has just ended is left out."""
        interfaces = await sync_to_async(_running)()
        try:
            answer = orjson.loads(await self._ask(orjson.dumps({"containers": interfaces})))
        except BaseException:
            self.close()  # what it still has to say would be taken for the next answer
            raise
        return {name: Reading(answer["at"], *counters) for name, counters in answer["containers"].items()}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process = None

    async def _ask(self, question: bytes) -> bytes:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", PROGRAM, settings.MUELLE_LAYOUT.cgroup_parent,
                cwd=settings.CHECKOUT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=MAX_ANSWER,
            )  # fmt: skip
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(question + b"\n")
        await stdin.drain()
        if line := await stdout.readline():
            return line
        raise SystemFailure("the reader of the counters has ended")


def _running() -> Mapping[str, list[str]]:
    """The host's ends of the interfaces, by container. Two queries."""
    scope = Scope.of_engine()
    alive = scope.containers().filter(status__in=states.ALIVE)
    found: dict[str, list[str]] = {container_id: [] for container_id in alive.values_list("pk", flat=True)}
    rows = scope.endpoints().filter(container_id__in=found).exclude(host_interface="")
    for container_id, interface in rows.values_list("container_id", "host_interface"):
        found[container_id].append(interface)
    return found
