"""``GET /containers/{id}/logs``: what the log files hold, and with ``follow`` what the container still writes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from django.conf import settings

from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.rest import query
from controlpanel.rest.openapi import STDIO, Operation, flag, moment, word
from controlpanel.rest.views import EngineView
from controlpanel.streams import shims
from controlpanel.streams.hijack import stream_type
from controlpanel.streams.responses import stream
from engine.containers import frames, wire
from engine.containers.logs import Follower, Record, Selection
from engine.errors import Conflict, InvalidArgument, Unavailable, Unsupported

if TYPE_CHECKING:
    from rest_framework.request import Request

    from controlpanel.server.responses import StreamedResponse

NUMBERS = {"stdout": frames.STDOUT, "stderr": frames.STDERR}
# From here on rendering is worth a thread: it would hold up everybody else on the event loop.
MANY = 200
EVERYTHING = Selection()


class LogsView(EngineView):
    actions = {"GET": "containers.view"}
    operations = {
        "GET": Operation(
            "A container's log",
            query=(
                flag("stdout", "with standard output"),
                flag("stderr", "with standard error"),
                flag("follow", "go on while it runs"),
                flag("timestamps", "a time before each line"),
                flag("details", "with the log driver's attributes"),
                moment("since", "lines from then on"),
                moment("until", "lines before"),
                word("tail", "so many lines, or all"),
            ),
            answer=STDIO,
            endless=True,
        )
    }

    async def get(self, request: Request, name: str) -> StreamedResponse:
        parameters = request.query_params
        selection = Selection(
            stdout=query.flag(parameters, "stdout"),
            stderr=query.flag(parameters, "stderr"),
            since=query.timestamp(parameters, "since"),
            until=query.timestamp(parameters, "until"),
        )
        if not (selection.stdout or selection.stderr):
            raise InvalidArgument("Bad parameters: you must choose at least one stream")
        container = await self.scope.find_container(name, self.action)
        require_readable(container)
        tty = container.config["Tty"]
        form = Form(not tty, query.flag(parameters, "timestamps"), query.flag(parameters, "details"))
        records = follow(container, selection, _tail(parameters.get("tail")), live=query.flag(parameters, "follow"))
        return stream(_rendered(records, form), stream_type(request._request, tty))


def require_readable(container: Container) -> None:
    """Raise Unsupported for a container that keeps no log, Conflict for one that is being removed."""
    if container.host_config["LogConfig"]["Type"] == "none":
        raise Unsupported("configured logging driver does not support reading")
    if container.status in (Status.DEAD, Status.REMOVING):
        raise Conflict("can not get logs from container which is dead or marked for removal")


def _tail(text: str | None) -> int | None:
    """A number of lines; None, which is all, for anything else."""
    return int(text) if text and text.isascii() and text.isdecimal() else None


class Form:
    """How records are written to a client."""

    def __init__(self, framed: bool, timestamps: bool, details: bool) -> None:
        self._framed, self._timestamps = framed, timestamps
        # Our log files carry no attributes; Docker puts a space after the list, also after an empty one.
        self._details = b" " if details else b""

    def render(self, records: list[Record]) -> bytes:
        lines = [record.line for record in records]
        if self._details:
            lines = [self._details + line for line in lines]
        if self._timestamps:
            lines = [b"%b %b" % (record.time.encode(), line) for record, line in zip(records, lines, strict=True)]
        if not self._framed:
            return b"".join(lines)
        return frames.multiplex([NUMBERS[record.stream] for record in records], lines)


async def follow(
    container: Container, selection: Selection = EVERYTHING, tail: int | None = None, *, live: bool = True
) -> AsyncGenerator[list[Record], None]:
    """Batches of log records in order. With ``live`` it goes on until the container has ended.

    The watch begins before the first read, so nothing that is written in between is missed.
    """
    watch = await _watch(container) if live else None
    follower = await asyncio.to_thread(Follower, settings.MUELLE_LAYOUT.log(container.id), tail, snapshot=not watch)
    going = watch is not None
    try:
        while True:
            while records := await asyncio.to_thread(follower.read):
                wanted, ended = selection.apply(records)
                if wanted:
                    yield wanted
                if ended:
                    return
            if not going or watch is None:
                return
            # When the watch ends the log is complete; one more round reads what came since the last time.
            going = await _has_grown(watch)
    finally:
        follower.close()
        if watch is not None:
            watch.close()


async def _watch(container: Container) -> socket.socket | None:
    """A connection on which the shim tells that the log has grown; None when the container has no shim."""
    try:
        watch = await shims.connect(settings.MUELLE_LAYOUT.shim_socket(container.id))
    except Unavailable:
        return None
    with contextlib.ExitStack() as undo:
        undo.enter_context(watch)
        try:
            wire.send(watch, {"op": "watch"})
            await shims.receive(watch)
        except (OSError, EOFError):
            return None
        undo.pop_all()
    return watch


async def _has_grown(watch: socket.socket) -> bool:
    """Wait for the next sign; false when the container has ended, which the rest of its log follows."""
    try:
        await shims.receive(watch)
    except (OSError, EOFError):
        return False
    return True


async def _rendered(records: AsyncGenerator[list[Record], None], form: Form) -> AsyncGenerator[bytes, None]:
    async with aclosing(records):
        async for batch in records:
            yield await asyncio.to_thread(form.render, batch) if len(batch) > MANY else form.render(batch)
