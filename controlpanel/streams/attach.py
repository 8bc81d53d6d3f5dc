"""``POST /containers/{id}/attach``: the client's connection goes to the container's shim.

A container that does not run yet has no shim; its launcher keeps the connection until there is one.
"""

from __future__ import annotations

import base64
import contextlib
import http
import socket
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from controlpanel.access.decorators import guarded
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.streams import detach, parameters, replay, shims
from controlpanel.streams.hijack import HijackResponse, stream_type
from engine.containers import frames, wire
from engine.containers.logs import Selection
from engine.errors import Conflict, InvalidArgument, MuelleError, Unavailable

if TYPE_CHECKING:
    from django.http import HttpRequest

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
    def of(cls, query: dict[str, str]) -> Wanted:
        stdin, stdout, stderr, stream, logs = (parameters.boolean(query.get(name)) for name in FLAGS)
        try:
            keys = detach.parse(query.get("detachKeys"))
        except ValueError as error:
            raise InvalidArgument(f"Invalid detach keys ({query['detachKeys']}) provided") from error
        return cls(stdin, stdout, stderr, stream, logs, keys)

    def message(self, tty: bool, surplus: bytes = b"") -> wire.Message:
        """The ``attach`` message for a shim."""
        return {
            "op": "attach",
            "stdin": self.stdin,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "framed": not tty,
            "detach_keys": list(self.detach_keys),
            "surplus": base64.b64encode(surplus).decode(),
        }


@require_POST
@guarded("containers.attach")
async def attach(request: HttpRequest, name: str) -> HttpResponse:
    wanted = Wanted.of(request.GET.dict())
    try:
        container = await find(name)
    except MuelleError as error:
        return _refusal(request, error)
    tty = bool(container.config.get("Tty"))

    async def take(client: socket.socket, surplus: bytes) -> None:
        if wanted.logs and await _replay(container, client, surplus, wanted):
            return
        if wanted.stream:
            await hand_over(container, client.fileno(), wanted.message(tty, surplus), tty)

    return HijackResponse(request, tty, take)


async def _replay(container: Container, client: socket.socket, surplus: bytes, wanted: Wanted) -> bool:
    """Send the log first; true when nothing is left to be done."""
    selection = Selection(stdout=wanted.stdout, stderr=wanted.stderr)
    if not wanted.stream or container.config.get("Tty") or not container.is_alive:
        await replay.send_log(container, client, selection, live=False)
        return not wanted.stream
    stdin: socket.socket | None = None
    if wanted.stdin:
        stdin, theirs = socket.socketpair()
        stdin.setblocking(False)
        with theirs:
            message = wanted._replace(stdout=False, stderr=False).message(False, surplus)
            await hand_over(container, theirs.fileno(), message, False)
    await replay.send_log_and_input(container, client, selection, stdin)
    return True


async def find(name: str) -> Container:
    """The container, if its state lets a client attach."""
    container = await Container.objects.afind(settings.MUELLE_NODE, name)
    if container.status == Status.PAUSED:
        raise Conflict(f"Container {name} is paused, unpause the container before attach")
    if container.status == Status.RESTARTING:
        raise Conflict(f"Container {name} is restarting, wait until the container is running")
    return container


async def hand_over(container: Container, client: int, message: wire.Message, tty: bool) -> None:
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
        tell(client, error.message, tty)


def tell(client: int, text: str, tty: bool) -> None:
    """Write an error where the client shows it: no status is left to carry it once the connection is hijacked."""
    data = f"{text}\r\n".encode()
    with contextlib.suppress(OSError), socket.socket(fileno=client) as sock:
        try:
            sock.send(data if tty else frames.header(frames.STDERR, len(data)) + data)
        finally:
            sock.detach()


def _refusal(request: HttpRequest, error: MuelleError) -> HttpResponse:
    """As Docker: an attach that fails answers in plain text with the stream's content type."""
    reason = http.HTTPStatus(error.status).phrase
    return HttpResponse(
        f"{error.message}\r\n", status=error.status, reason=reason, content_type=stream_type(request, False)
    )
