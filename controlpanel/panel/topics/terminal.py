"""A terminal in a container: an exec session of the shim at one end of a socket pair, the page at the other."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings

from controlpanel.objects import events
from controlpanel.objects.models import Container, Exec
from controlpanel.panel.messages import Incoming
from controlpanel.panel.topics.topic import Page, Topic
from controlpanel.streams import shims
from engine.containers import wire
from engine.errors import Conflict, MuelleError

READ_SIZE = 32 * 1024
# What may wait for a process that does not read: a large paste, not a memory leak.
MAX_TYPED = 4 * 1024 * 1024
# A closed page means to its shell what a closed window means: interrupt what runs, then end of input.
HANG_UP = b"\x03\x04"


class TerminalTopic(Topic):
    """Input that came before the process runs waits in the queue; a resize before that is the size it starts with."""

    action = "containers.exec"

    def __init__(self, page: Page, channel: int, request: Incoming) -> None:
        super().__init__(page, channel, request)
        self._size = (request.number("rows", 24, 1, 1000), request.number("columns", 80, 1, 1000))
        self._typed: asyncio.Queue[bytes] = asyncio.Queue()
        self._waiting = 0
        self._exec: Exec | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._overrun = False

    async def run(self) -> None:
        container = await self.container()
        if not container.is_alive:
            raise Conflict(f"container {container.id} is not running")
        session = await sync_to_async(self._create)(container)
        reader, writer = await self._begin(session)
        typing = asyncio.create_task(self._forward(writer))
        try:
            await self._show(reader)
        finally:
            typing.cancel()
            await _hang_up(writer)
        if self._overrun:
            raise Conflict("the process does not read what is typed")
        self.exit_code = await _exit_code(session)

    async def receive(self, data: bytes) -> None:
        """Keep what is typed until the process takes it; too much of it ends the terminal."""
        self._waiting += len(data)
        if self._waiting <= MAX_TYPED:
            self._typed.put_nowait(data)
        elif not self._overrun:
            self._overrun = True
            if self._writer is not None:
                self._writer.transport.abort()

    async def resize(self, rows: int, columns: int) -> None:
        self._size = (rows, columns)
        if self._exec is not None:
            # The process may have ended at this moment.
            with suppress(MuelleError):
                await _resize(self._exec, rows, columns)

    async def _begin(self, session: Exec) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Start the process. The row is undone when that fails."""
        size = self._size
        try:
            ours = await _begin(session, size)
        except BaseException:
            await session.adelete()
            raise
        self._exec = session
        reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=READ_SIZE)
        if self._size != size:
            await self.resize(*self._size)
        return reader, self._writer

    async def _show(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(READ_SIZE):
            await self.page.require(self.action)
            await self.page.send_bytes(self.channel, data)

    async def _forward(self, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while True:
                data = await self._typed.get()
                writer.write(data)
                await writer.drain()
                self._waiting -= len(data)

    def _create(self, container: Container) -> Exec:
        command = self.request.texts("command")
        config: dict[str, Any] = {
            "Cmd": command,
            "User": self.request.text("user", "", 256),
            "Tty": True,
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "DetachKeys": "",
            "Env": [],
            "WorkingDir": "",
            "Privileged": False,
        }
        session = Exec.objects.create(
            id=secrets.token_hex(32),
            container=container,
            config=config,
            started=True,
            running=True,
            created=time.time_ns(),
        )
        line = " ".join(command)
        events.publish_all(
            [
                events.of_container(container, f"exec_create: {line}", execID=session.id),
                events.of_container(container, f"exec_start: {line}", execID=session.id),
            ]
        )
        return session


async def _begin(session: Exec, size: tuple[int, int]) -> socket.socket:
    """Start the process; the result is our end of its terminal."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with theirs:
            await shims.call(_shim(session), _request(session, size), (theirs.fileno(),))
    except BaseException:
        ours.close()
        raise
    ours.setblocking(False)
    return ours


def _request(session: Exec, size: tuple[int, int]) -> wire.Message:
    return {
        "op": "exec",
        "id": session.id,
        "args": session.config["Cmd"],
        "env": [],
        "cwd": "",
        "user": session.config["User"],
        "tty": True,
        "privileged": False,
        "stdin": True,
        "stdout": True,
        "stderr": True,
        "detach_keys": [],
        "console_size": list(size),
        "framed": False,
    }


async def _resize(session: Exec, rows: int, columns: int) -> None:
    await shims.call(_shim(session), {"op": "resize", "exec": session.id, "height": rows, "width": columns})


async def _exit_code(session: Exec) -> int | None:
    """What the shim remembers; None when the container ended with it."""
    with suppress(MuelleError):
        reply = await shims.call(_shim(session), {"op": "exec_state", "id": session.id})
        code: int | None = reply["exit_code"]
        return code
    return None


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.write(HANG_UP)
        writer.close()
        await writer.wait_closed()


def _shim(session: Exec) -> Path:
    path: Path = settings.MUELLE_LAYOUT.shim_socket(session.container_id)
    return path
