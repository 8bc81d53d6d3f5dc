"""``POST /exec/{id}/start``: run a prepared command, with the client's connection as its streams or detached."""

from __future__ import annotations

import asyncio
import base64
import socket
from typing import TYPE_CHECKING, Any, TypedDict

from django.http import HttpResponse

from controlpanel.rest import bodies
from controlpanel.rest.openapi import STDIO, Operation
from controlpanel.rest.views import EngineView
from controlpanel.streams import execs
from controlpanel.streams.attach import tell
from controlpanel.streams.hijack import head_is_read, hijack
from engine.errors import Conflict, InvalidArgument, MuelleError

if TYPE_CHECKING:
    from rest_framework.request import Request

    from controlpanel.objects.models import Exec

CONSOLE_SIZE_SINCE = (1, 42)


class StartOptions(TypedDict):
    Detach: bool
    Tty: bool
    ConsoleSize: list[int]


class ExecStartView(EngineView):
    actions = {"POST": "containers.exec"}
    operations = {
        "POST": Operation(
            "Start an exec: the connection becomes its terminal, unless it is detached",
            body=StartOptions,
            answer=STDIO,
            endless=True,
        )
    }

    async def post(self, request: Request, name: str) -> HttpResponse:
        options = bodies.read_object(request._request, required=False)
        session = await self.scope.find_exec(name, self.action)
        size = self._console_size(options)
        if options.get("Detach"):
            # Whole, also when its client leaves: what is claimed and not started would seem to run for ever.
            await asyncio.shield(self._start_detached(session, size))
            response = HttpResponse()
            del response.headers["Content-Type"]
            return response
        # Docker frames the output by what this request says, whatever the session has: docker-py relies on it.
        raw = bool(options.get("Tty"))
        stdio = execs.stdio_of(session, framed=not raw, console_size=size)

        async def take(client: socket.socket, surplus: bytes) -> None:
            await head_is_read(client)
            stdio["surplus"] = base64.b64encode(surplus).decode()
            try:
                await execs.start(session, stdio, [client.fileno()])
            except Conflict as error:
                tell(client.fileno(), error.message, framed=not raw)
            except MuelleError:
                # The shim has told the client why; its exit code waits in the exec's inspect.
                return

        async def lost() -> None:
            await execs.give_up(session)

        response = hijack(request._request, raw, take, lost)
        await execs.claim(session)
        return response

    async def _start_detached(self, session: Exec, size: list[int] | None) -> None:
        await execs.claim(session)
        stdio = execs.stdio_of(session, framed=False, console_size=size)
        await execs.start(session, {**stdio, "stdin": False, "stdout": False, "stderr": False})

    def _console_size(self, options: dict[str, Any]) -> list[int] | None:
        """``[height, width]`` of the client's terminal, or None where it said nothing or is too old to mean it."""
        size = options.get("ConsoleSize")
        if not size or self.version < CONSOLE_SIZE_SINCE:
            return None
        right = isinstance(size, list) and len(size) == 2 and all(isinstance(each, int) and each >= 0 for each in size)
        if not right:
            raise InvalidArgument("invalid JSON: ConsoleSize is not [height, width]")
        return size if any(size) else None
