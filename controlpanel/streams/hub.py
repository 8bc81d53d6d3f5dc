"""One reader of the node's event stream per process, and a bounded queue for each who listens.

A queue holds ``Entry`` objects, and ``None`` where entries may have been missed: after the broker was away, or when the
listener fell too far behind. Whoever reads ``None`` looks at the database again. So: join first, then look, then read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import weakref
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, Protocol

import orjson
from redis.exceptions import RedisError

from controlpanel import broker
from controlpanel.objects import events

logger = logging.getLogger(__name__)

QUEUE_SIZE = 1024
BATCH = 256
# A dead connection to a remote broker shows at the next read; the local socket tells at once.
BLOCK_MILLISECONDS = 60_000
RETRY_SECONDS = 0.3
# How long the reader goes on for nobody: the next listener is often near, and a start costs two round trips.
KEEP_SECONDS = 10.0
FIRST_ID = "0-0"


class Entry(NamedTuple):
    """``id`` is the stream's (milliseconds-sequence), ``event`` Docker's object, ``project`` its actor's owner."""

    id: str
    event: dict[str, Any]
    project: str = ""


Queue = asyncio.Queue[Entry | None]


class Viewer(Protocol):
    """Who listens; ``controlpanel.access.scope.Scope`` is one. Asked for each entry: rights may change meanwhile."""

    def sees(self, project: str, /) -> bool: ...


class Hub:
    def __init__(self) -> None:
        # Weak, so that a listener whose response never got to run is forgotten with its queue.
        self._queues: weakref.WeakKeyDictionary[Queue, Viewer] = weakref.WeakKeyDictionary()
        self._reader: asyncio.Task[None] | None = None
        self._connected = False
        self._last_wanted = 0.0

    def join(self, viewer: Viewer) -> Queue:
        """A queue that receives what ``viewer`` sees from now on, for as long as the caller keeps it.

        Starts with None if reading has just started.
        """
        queue: Queue = asyncio.Queue(QUEUE_SIZE)
        self._queues[queue] = viewer
        self._is_wanted()
        if self._reader is None or self._reader.done():
            self._reader = asyncio.get_running_loop().create_task(self._run())
        return queue

    @contextlib.asynccontextmanager
    async def subscribe(self, viewer: Viewer) -> AsyncIterator[Queue]:
        """The same as a context."""
        queue = self.join(viewer)
        try:
            yield queue
        finally:
            self._queues.pop(queue, None)

    async def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})

    def _is_wanted(self) -> bool:
        """Whether somebody listens or has until lately. A busy node's events are much work for a process to drop."""
        if self._queues:
            self._last_wanted = time.monotonic()
            return True
        return time.monotonic() - self._last_wanted < KEEP_SECONDS

    async def _run(self) -> None:
        while self._is_wanted():
            try:
                async with broker.async_client() as client:
                    await self._read(client)
                continue
            except (RedisError, OSError) as error:
                if self._connected:
                    logger.warning("lost the event stream: %s", error)
            except Exception:
                logger.exception("reading the event stream failed")
            self._connected = False
            await asyncio.sleep(RETRY_SECONDS)

    async def _read(self, client: Any) -> None:
        """Read from the stream's present end; what came before may have been missed, which listeners are told."""
        key = events.stream_key()
        newest = await client.xrevrange(key, count=1)
        position = newest[0][0] if newest else FIRST_ID
        self._connected = True
        self._tell(None)
        while self._is_wanted():
            reply = await client.xread({key: position}, count=BATCH, block=BLOCK_MILLISECONDS)
            for _, entries in reply or ():
                for position, fields in entries:
                    self._tell(parse(position, fields))

    def _tell(self, entry: Entry | None) -> None:
        for queue, viewer in list(self._queues.items()):
            if entry is not None and not viewer.sees(entry.project):
                continue
            try:
                queue.put_nowait(entry)
            except asyncio.QueueFull:
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)


def parse(entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
    owner = fields.get(events.OWNER.encode(), b"").decode()
    return Entry(entry_id.decode(), orjson.loads(fields[events.FIELD.encode()]), owner)


async def history(viewer: Viewer, start: str, end: str = "+", count: int = events.MAX_STREAM) -> list[Entry]:
    """Past entries that ``viewer`` sees, with ids from ``start`` to ``end``; ``(id`` excludes that id.

    Empty while the broker is away.
    """
    try:
        async with broker.async_client() as client:
            entries: Any = await client.xrange(events.stream_key(), start, end, count)
    except (RedisError, OSError) as error:
        logger.warning("no past events: %s", error)
        return []
    found = [parse(entry_id, fields) for entry_id, fields in entries]
    return [entry for entry in found if viewer.sees(entry.project)]


async def newest() -> str:
    """The id of the stream's last entry. While the broker is away: an id of this moment, below all that follow."""
    try:
        async with broker.async_client() as client:
            entries: Any = await client.xrevrange(events.stream_key(), count=1)
    except (RedisError, OSError):
        return f"{time.time_ns() // 1_000_000}-0"
    return str(entries[0][0].decode()) if entries else FIRST_ID


hub = Hub()
join = hub.join
subscribe = hub.subscribe
