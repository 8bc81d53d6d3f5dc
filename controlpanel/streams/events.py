"""``GET /events``: past events since a moment, then live ones until another, without gap or repetition."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from controlpanel.access.scope import Scope
from controlpanel.rest import filters, openapi, query
from controlpanel.rest.openapi import LINES, Operation, moment
from controlpanel.rest.views import EngineView
from controlpanel.streams import hub
from controlpanel.streams.event_filter import KEYS, EventFilter
from controlpanel.streams.responses import JSON, line, stream
from engine.errors import InvalidArgument

if TYPE_CHECKING:
    from rest_framework.request import Request

    from controlpanel.server.responses import StreamedResponse

MILLI = 1_000_000


class EventsView(EngineView):
    actions = {"GET": "system.view"}
    operations = {
        "GET": Operation(
            "Events, as they happen",
            query=(
                moment("since", "those that have happened after"),
                moment("until", "ends then"),
                openapi.filters(*KEYS),
            ),
            answer=LINES,
            endless=True,
        )
    }

    async def get(self, request: Request) -> StreamedResponse:
        parameters = request.query_params
        since, until = query.timestamp(parameters, "since"), query.timestamp(parameters, "until")
        if since is not None and until is not None and until < since:
            raise InvalidArgument(
                f"`since` time ({parameters['since']}) cannot be after `until` time ({parameters['until']})"
            )
        wanted = EventFilter(filters.parse(parameters, KEYS), since, until)
        queue = hub.join(self.scope)
        # Whatever follows this entry is live; it is looked up before the head tells the client that it is listened for.
        return stream(_lines(self.scope, queue, wanted, await hub.newest()), JSON)


async def _lines(scope: Scope, queue: hub.Queue, wanted: EventFilter, last: str) -> AsyncGenerator[bytes, None]:
    """History first. Live entries that history held already are known by their ids, which only grow."""
    if wanted.since is not None or wanted.until is not None:
        # An entry gets its id when it is appended, so never before the moment that the event itself names.
        past = await hub.history(scope, str((wanted.since or 0) // MILLI))
        last = past[-1].id if past else last
        yield _render(past, wanted)
    try:
        async with asyncio.timeout(_remaining(wanted.until)):
            while True:
                entries, last = await _next(scope, queue, last)
                text = _render(entries, wanted)
                if text:
                    yield text
    except TimeoutError:
        return


async def _next(scope: Scope, queue: hub.Queue, last: str) -> tuple[list[hub.Entry], str]:
    """At least one item of the queue, and whatever else is there; a gap is filled from the stream itself."""
    items = [await queue.get()]
    while not queue.empty():
        items.append(queue.get_nowait())
    if None in items:
        entries = await hub.history(scope, f"({last}")
    else:
        entries = [entry for entry in items if entry is not None and _order(entry.id) > _order(last)]
    return entries, entries[-1].id if entries else last


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence)


def _render(entries: list[hub.Entry], wanted: EventFilter) -> bytes:
    return b"".join(line(entry.event) for entry in entries if wanted.admits(entry.event))


def _remaining(until: int | None) -> float | None:
    return None if until is None else max(0.0, (until - time.time_ns()) / 1e9)
