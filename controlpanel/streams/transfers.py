"""Operations whose input or output is a stream of bytes: a ticket for the worker, and its answer as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import io
import os
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, cast

import orjson

from controlpanel.server.responses import StreamedResponse
from controlpanel.server.scope import UPLOAD
from controlpanel.streams import shims, tickets
from engine.errors import MuelleError, SystemFailure, Unavailable

if TYPE_CHECKING:
    from django.http import HttpRequest

Result = TypeVar("Result")
# An operation that waits for nothing but the ticket's id.
Operation = Callable[[str], Coroutine[Any, Any, Result]]

BLOCK = 256 * 1024
# A transfer may last for hours, but a worker has to begin with it: all of them may be busy, or gone.
BEGIN_SECONDS = 300.0
PIPE_SIZE = 1024 * 1024


def upload(request: HttpRequest) -> int:
    """A descriptor that yields the request's body; the caller owns it."""
    pending = request.scope.get(UPLOAD)  # type: ignore[attr-defined]  # ASGIRequest
    if pending is None:
        if request.read(1):
            raise SystemFailure("the body has been read before the view: its path is missing in uploads.py")
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    fd: int = pending.open()
    return fd


async def take(operation: Operation[Result], body_fd: int) -> Result:
    """Run an operation that reads a stream, and return its value. Owns ``body_fd``."""
    return await _call(operation, tickets.Ticket(body_fd))


async def give(
    operation: Operation[Any], content_type: str, body_fd: int | None = None, *, report_inside: bool = False
) -> StreamedResponse:
    """Answer with what an operation writes. Owns ``body_fd``.

    An error before the first byte is raised. Later there is no status left: with ``report_inside`` it becomes Docker's
    error object in the stream, otherwise the connection is cut, which every client takes for a failed transfer.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(reading, False)
    output = os.fdopen(reading, "rb", buffering=0)
    call = asyncio.create_task(_call(operation, tickets.Ticket(body_fd, _widen(writing))))
    try:
        first = await _first(output, call)
    except BaseException:
        call.cancel()
        output.close()
        raise
    return StreamedResponse(_chunks(first, output, call, report_inside), content_type=content_type)


async def _call(operation: Operation[Result], ticket: tickets.Ticket) -> Result:
    """Run the operation; give up when no worker fetches its ticket in time."""
    call: asyncio.Future[Result] = asyncio.ensure_future(operation(ticket.id))
    try:
        waiting = {cast("asyncio.Future[Any]", call), ticket.taken}
        begun, _ = await asyncio.wait(waiting, timeout=BEGIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not begun:
            raise Unavailable(f"no worker was free for this transfer within {BEGIN_SECONDS:.0f} seconds")
        return await call
    finally:
        call.cancel()
        ticket.close()


async def _first(output: io.FileIO, call: asyncio.Task[Any]) -> bytes:
    """The first bytes, empty for an empty output. Raises the operation's error if that comes before any byte."""
    reading = asyncio.create_task(_read(output))
    try:
        await asyncio.wait({reading, call}, return_when=asyncio.FIRST_COMPLETED)
        if call.done():
            call.result()
        data = await reading
        if not data:
            await call
        return data
    finally:
        reading.cancel()


async def _chunks(
    data: bytes, output: io.FileIO, call: asyncio.Task[Any], report_inside: bool
) -> AsyncGenerator[bytes, None]:
    """The output until its end. A client that leaves closes the pipe, which stops the worker."""
    try:
        while data:
            yield data
            data = await _read(output)
        await call
    except MuelleError as error:
        if not report_inside:
            raise
        yield error_object(error)
    finally:
        output.close()
        call.cancel()


def error_object(error: MuelleError) -> bytes:
    """Docker's message for an error inside a stream."""
    return orjson.dumps({"errorDetail": {"message": error.message}, "error": error.message}) + b"\r\n"


async def _read(output: io.FileIO) -> bytes:
    while (data := output.read(BLOCK)) is None:
        await shims.readable(output.fileno())
    return data


def _widen(pipe: int) -> int:
    """A larger pipe means fewer changes between worker and web process; the kernel may refuse one (pipe(7))."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    return pipe
