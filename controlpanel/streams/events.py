"""``GET /events``: past events since a moment, then live ones until another, without gap or repetition."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from django.views.decorators.http import require_GET

from controlpanel.access.decorators import guarded
from controlpanel.streams import hub, parameters
from controlpanel.streams.event_filter import KEYS, EventFilter
from controlpanel.streams.responses import JSON, line, stream
from engine.errors import InvalidArgument

if TYPE_CHECKING:
    from django.http import HttpRequest, StreamingHttpResponse

MILLI = 1_000_000


@require_GET
@guarded("system.view")
async def events(request: HttpRequest) -> StreamingHttpResponse:
    since = parameters.timestamp("since", request.GET.get("since"))
    until = parameters.timestamp("until", request.GET.get("until"))
    if since is not None and until is not None and until < since:
        raise InvalidArgument(
            f"`since` time ({request.GET['since']}) cannot be after `until` time ({request.GET['until']})"
        )
    wanted = EventFilter(parameters.filters(request.GET.get("filters"), KEYS), since, until)
    queue = hub.join()
    # Whatever follows this entry is live; it is looked up before the head tells the client that it is listened for.
    return stream(_lines(queue, wanted, await hub.newest()), JSON)


async def _lines(queue: hub.Queue, wanted: EventFilter, last: str) -> AsyncGenerator[bytes, None]:
    """History first. Live entries that history held already are known by their ids, which only grow."""
    if wanted.since is not None or wanted.until is not None:
        # An entry gets its id when it is appended, so never before the moment that the event itself names.
        past = await hub.history(str((wanted.since or 0) // MILLI))
        last = past[-1].id if past else last
        yield _render(past, wanted)
    try:
        async with asyncio.timeout(_remaining(wanted.until)):
            while True:
                entries, last = await _next(queue, last)
                text = _render(entries, wanted)
                if text:
                    yield text
    except TimeoutError:
        return


async def _next(queue: hub.Queue, last: str) -> tuple[list[hub.Entry], str]:
    """At least one item of the queue, and whatever else is there; a gap is filled from the stream itself."""
    items = [await queue.get()]
    while not queue.empty():
        items.append(queue.get_nowait())
    if None in items:
        entries = await hub.history(f"({last}")
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
