"""``POST /containers/{id}/wait``: the exit code, once the condition holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from controlpanel.access.scope import Scope
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.rest.openapi import Operation, word
from controlpanel.rest.versions import Version
from controlpanel.rest.views import EngineView
from controlpanel.streams import hub
from controlpanel.streams.responses import JSON, line, stream
from engine.errors import InvalidArgument

if TYPE_CHECKING:
    from rest_framework.request import Request

    from controlpanel.server.responses import StreamedResponse

NOT_RUNNING, NEXT_EXIT, REMOVED = "not-running", "next-exit", "removed"
CONDITIONS = frozenset({NOT_RUNNING, NEXT_EXIT, REMOVED})
CONDITIONS_SINCE = (1, 30)
# Exit codes are 0…255; -1 never leaves this module.
UNKNOWN = -1
# How long events of a container that is gone may be on their way: senders keep them while the broker is away.
LATE_SECONDS = 5.0
LATE_PAUSE = 0.2
# By how much the broker's clock, which numbers the events, may be behind ours.
SKEW_SECONDS = 60.0


class WaitResult(TypedDict):
    StatusCode: int


class WaitView(EngineView):
    actions = {"POST": "containers.view"}
    operations = {
        "POST": Operation(
            "Wait for a container",
            query=(word("condition", "not-running, next-exit or removed"),),
            answer=WaitResult,
            endless=True,
        )
    }

    async def post(self, request: Request, name: str) -> StreamedResponse:
        condition = _condition(request.query_params, self.version)
        # Joined before the look at the database, and before the head that makes ``docker run`` send its start.
        queue = hub.join(self.scope)
        container = await self.scope.find_container(name, self.action)
        return stream(_result(self.scope, queue, container, condition), JSON)


def _condition(parameters: Mapping[str, str], version: Version) -> str:
    condition = parameters.get("condition") or NOT_RUNNING
    if version < CONDITIONS_SINCE:
        return NOT_RUNNING
    if condition not in CONDITIONS:
        raise InvalidArgument(f'invalid condition: "{condition}"')
    return condition


async def _result(scope: Scope, queue: hub.Queue, container: Container, condition: str) -> AsyncGenerator[bytes, None]:
    yield line({"StatusCode": await exit_code(scope, queue, container, condition)})


async def exit_code(scope: Scope, queue: hub.Queue, container: Container, condition: str) -> int:
    """Wait for ``condition``; ``container`` was read after ``queue`` was joined."""
    if condition == NOT_RUNNING and not container.is_running:
        return container.exit_code
    known = container.exit_code
    heard = f"{int((time.time() - SKEW_SECONDS) * 1000)}-0"
    while True:
        entry = await queue.get()
        if entry is None:
            found = await _look(scope, container, condition, known, heard)
            if found != UNKNOWN:
                return found
            continue
        heard = entry.id
        if entry.event["Type"] != "container" or entry.event["Actor"]["ID"] != container.id:
            continue
        known = _exit_code(entry.event, known)
        if entry.event["Action"] == "destroy" or (entry.event["Action"] == "die" and condition != REMOVED):
            return known


async def _look(scope: Scope, before: Container, condition: str, known: int, heard: str) -> int:
    """Events after ``heard`` may have been missed: compare the row with what it was.

    A row that is gone satisfies every condition.
    """
    now = await scope.containers().filter(pk=before.pk).afirst()
    if now is None:
        return await _told(scope, before.id, known, heard)
    if condition == REMOVED:
        return now.exit_code if now.status == Status.DEAD else UNKNOWN
    has_exited = now.finished_at != before.finished_at
    if has_exited or (condition == NOT_RUNNING and not now.is_running):
        return now.exit_code
    return UNKNOWN


async def _told(scope: Scope, container_id: str, known: int, heard: str) -> int:
    """The exit code of a container that has been removed: only its events still have it, those after ``heard``."""
    deadline = time.monotonic() + LATE_SECONDS
    while True:
        for entry in await hub.history(scope, f"({heard}"):
            heard, event = entry.id, entry.event
            if event["Type"] != "container" or event["Actor"]["ID"] != container_id:
                continue
            if event["Action"] == "destroy":
                return known
            known = _exit_code(event, known)
        if time.monotonic() > deadline:
            return known
        await asyncio.sleep(LATE_PAUSE)


def _exit_code(event: Mapping[str, Any], known: int) -> int:
    """The code that a ``die`` tells; ``known`` when it tells none, and for any other event."""
    return int(event["Actor"]["Attributes"].get("exitCode", known)) if event["Action"] == "die" else known
