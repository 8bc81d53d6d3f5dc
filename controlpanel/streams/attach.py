"""``POST /containers/{id}/attach``: the client's connection goes to the container's shim.

A container that does not run yet has no shim; its launcher keeps the connection until there is one.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.http import HttpResponse

from controlpanel.access.scope import Scope
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.rest import query
from controlpanel.rest.openapi import STDIO, Operation, flag, word
from controlpanel.rest.views import EngineView
from controlpanel.streams import detach, replay, shims
from controlpanel.streams.hijack import hijack, stream_type
from engine.containers import frames, wire
from engine.containers.logs import Selection
from engine.errors import Conflict, InvalidArgument, MuelleError, Unavailable

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request

# How long an attach waits for the launcher, which its supervisor restarts at once.
LAUNCHER_SECONDS = 5.0
LAUNCHER_PAUSE = 0.1
FLAGS = ("stdin", "stdout", "stderr", "stream", "logs")


class Wanted(NamedTuple):
    """What the client asked for in the query."""

    stdin: bool
    stdout: bool
    stderr: bool
    stream: bool
    logs: bool
    detach_keys: bytes

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Wanted:
        stdin, stdout, stderr, stream, logs = (query.flag(parameters, name) for name in FLAGS)
        try:
            keys = detach.parse(parameters.get("detachKeys"))
        except ValueError as error:
            raise InvalidArgument(f"Invalid detach keys ({parameters['detachKeys']}) provided") from error
        return cls(stdin, stdout, stderr, stream, logs, keys)

    def message(self, framed: bool, surplus: bytes = b"") -> wire.Message:
        """The ``attach`` message for a shim."""
        return {
            "op": "attach",
            "stdin": self.stdin,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "framed": framed,
            "detach_keys": list(self.detach_keys),
            "surplus": base64.b64encode(surplus).decode(),
        }


class AttachView(EngineView):
    actions = {"POST": "containers.attach"}
    operations = {
        "POST": Operation(
            "Attach to a container: the connection becomes its terminal",
            query=(
                *(flag(name, f"{name} is wanted") for name in FLAGS),
                word("detachKeys", "keys that end it"),
            ),
            answer=STDIO,
            endless=True,
        )
    }

    async def post(self, request: Request, name: str) -> HttpResponse:
        wanted = Wanted.of(request.query_params.dict())
        try:
            container = await find(self.scope, name)
            await has_somebody_to_take_it(container, wanted)
        except MuelleError as error:
            return _refusal(request._request, error)
        tty = container.config["Tty"]

        async def take(client: socket.socket, surplus: bytes) -> None:
            await serve(container, client, surplus, wanted, framed=not tty)

        return hijack(request._request, tty, take)


async def serve(container: Container, client: socket.socket, surplus: bytes, wanted: Wanted, *, framed: bool) -> None:
    """Give a client what it wants, until there is no more of it or the connection is somebody else's."""
    if wanted.logs and await _replay(container, client, surplus, wanted, framed):
        return
    if wanted.stream:
        await _hand_over(container, client.fileno(), wanted.message(framed, surplus))


async def has_somebody_to_take_it(container: Container, wanted: Wanted) -> None:
    """Wait for a launcher that is being restarted, while a status can still say that none came.

    A client who is told so does not go on to start a container whose output it would never see.
    """
    if not wanted.stream or container.is_alive:
        return
    deadline = time.monotonic() + LAUNCHER_SECONDS
    while True:
        try:
            (await shims.connect(settings.MUELLE_LAYOUT.attach_socket)).close()
        except Unavailable as error:
            if time.monotonic() > deadline:
                raise Unavailable("the launcher does not answer: try again") from error
            await asyncio.sleep(LAUNCHER_PAUSE)
        else:
            return


async def _replay(container: Container, client: socket.socket, surplus: bytes, wanted: Wanted, framed: bool) -> bool:
    """Send the log first; true when nothing is left to be done."""
    selection = Selection(stdout=wanted.stdout, stderr=wanted.stderr)
    if not wanted.stream or container.config["Tty"] or not container.is_alive:
        await replay.send_log(container, client, selection, framed=framed, live=False)
        return not wanted.stream
    stdin: socket.socket | None = None
    if wanted.stdin:
        stdin, theirs = socket.socketpair()
        stdin.setblocking(False)
        with theirs:
            message = wanted._replace(stdout=False, stderr=False).message(framed, surplus)
            await _hand_over(container, theirs.fileno(), message)
    await replay.send_log_and_input(container, client, selection, stdin, framed=framed)
    return True


async def find(scope: Scope, name: str) -> Container:
    """The container, if its state lets a client attach."""
    container = await scope.find_container(name, "containers.attach")
    if container.status == Status.PAUSED:
        raise Conflict(f"Container {name} is paused, unpause the container before attach")
    if container.status == Status.RESTARTING:
        raise Conflict(f"Container {name} is restarting, wait until the container is running")
    return container


async def _hand_over(container: Container, client: int, message: wire.Message) -> None:
    """Pass the connection to the shim, or to the launcher while there is no shim; tell the client when nobody takes it.

    The head of the answer has just been written. The message goes out before this process handles another request, so
    it is on its way before the client's next request (the start) can be.
    """
    layout = settings.MUELLE_LAYOUT
    try:
        try:
            await shims.call(layout.shim_socket(container.id), message, [client])
        except (Unavailable, Conflict):
            await shims.call(layout.attach_socket, {**message, "container": container.id}, [client])
    except MuelleError as error:
        tell(client, error.message, framed=message["framed"])


def tell(client: int, text: str, *, framed: bool) -> None:
    """Write an error where the client shows it: no status is left to carry it once the connection is hijacked."""
    data = f"{text}\r\n".encode()
    with contextlib.suppress(OSError), socket.socket(fileno=client) as sock:
        try:
            sock.send(frames.header(frames.STDERR, len(data)) + data if framed else data)
        finally:
            sock.detach()


def _refusal(request: HttpRequest, error: MuelleError) -> HttpResponse:
    """As Docker: an attach that fails answers in plain text with the stream's content type."""
    reason = http.HTTPStatus(error.status).phrase
    return HttpResponse(
        f"{error.message}\r\n", status=error.status, reason=reason, content_type=stream_type(request, False)
    )
