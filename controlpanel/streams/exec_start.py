"""``POST /exec/{id}/start``: run a prepared command, with the client's connection as its streams or detached."""

from __future__ import annotations

import asyncio
import base64
import socket
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from controlpanel.access.decorators import guarded
from controlpanel.objects import events
from controlpanel.objects.models import Exec
from controlpanel.objects.states import Status
from controlpanel.streams import detach, parameters, shims
from controlpanel.streams.attach import tell
from controlpanel.streams.hijack import HijackResponse, head_is_read
from engine.errors import Conflict, InvalidArgument, MuelleError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest

    from engine.containers.wire import Message

CONSOLE_SIZE_SINCE = (1, 42)
# Docker's exit code of a command that could not be started at all.
NOT_STARTED = 126


@require_POST
@guarded("containers.exec")
async def start(request: HttpRequest, name: str) -> HttpResponse:
    options = parameters.json_body(request)
    session = await _claim(name)
    # Docker frames the output by what this request says, whatever the session has: docker-py relies on it.
    raw = bool(options.get("Tty"))
    message = _message(session, _console_size(request, options), framed=not raw)
    if options.get("Detach"):
        await _run(session, message | {"stdin": False, "stdout": False, "stderr": False})
        response = HttpResponse()
        del response.headers["Content-Type"]
        return response

    async def take(client: socket.socket, surplus: bytes) -> None:
        await head_is_read(client)
        message["surplus"] = base64.b64encode(surplus).decode()
        try:
            await _run(session, message, [client.fileno()])
        except Unavailable as error:
            tell(client.fileno(), error.message, raw)
        except MuelleError:
            # The shim has told the client why; its exit code waits in the exec's inspect.
            return

    return HijackResponse(request, raw, take)


@sync_to_async
def _claim(name: str) -> Exec:
    """The exec session, which nobody has started and nobody else will."""
    session = Exec.objects.find(settings.MUELLE_NODE, name, "container")
    if session.running:
        raise Conflict(f"exec command {session.id} is already running")
    if session.started:
        raise Conflict(f"exec command {session.id} has already run")
    if session.container.status == Status.PAUSED:
        raise Conflict(f"Container {session.container_id} is paused, unpause the container before exec")
    if session.container.status != Status.RUNNING:
        raise Conflict(f"container {session.container_id} is not running")
    if not Exec.objects.filter(pk=session.pk, started=False).update(started=True, running=True):
        raise Conflict(f"exec command {session.id} is already running")
    return session


async def _run(session: Exec, message: Message, fds: Iterable[int] = ()) -> None:
    """Have the shim start the command; later its exit comes from there too. Raises the shim's error."""
    command = " ".join(session.config["Cmd"])
    begun = events.of_container(session.container, f"exec_start: {command}", execID=session.id)
    # Beside the start, not before it: an event is not worth a round trip of waiting.
    publishing = asyncio.create_task(sync_to_async(events.publish_all)([begun]))
    try:
        await shims.call(settings.MUELLE_LAYOUT.shim_socket(session.container_id), message, fds)
    except Unavailable:
        # No shim will ever report this one.
        await Exec.objects.filter(pk=session.pk).aupdate(running=False, exit_code=NOT_STARTED)
        raise
    finally:
        await publishing


def _message(session: Exec, console_size: list[int] | None, *, framed: bool) -> Message:
    config = session.config
    return {
        "op": "exec",
        "id": session.id,
        "args": config["Cmd"],
        "env": config.get("Env") or [],
        "cwd": config.get("WorkingDir") or "",
        "user": config.get("User") or "",
        "tty": bool(config.get("Tty")),
        "privileged": bool(config.get("Privileged")),
        "stdin": bool(config.get("AttachStdin")),
        "stdout": bool(config.get("AttachStdout")),
        "stderr": bool(config.get("AttachStderr")),
        "detach_keys": list(detach.parse(config.get("DetachKeys"))),
        "console_size": console_size or config.get("ConsoleSize"),
        "framed": framed,
    }


def _console_size(request: HttpRequest, options: dict[str, Any]) -> list[int] | None:
    """``[height, width]`` of the client's terminal, or None where the client said nothing or is too old to mean it."""
    size = options.get("ConsoleSize")
    if not size or getattr(request, "api_version", CONSOLE_SIZE_SINCE) < CONSOLE_SIZE_SINCE:
        return None
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(each, int) and each >= 0 for each in size)):
        raise InvalidArgument("invalid JSON: ConsoleSize is not [height, width]")
    return size if any(size) else None
