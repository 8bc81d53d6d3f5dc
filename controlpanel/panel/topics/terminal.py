"""A terminal in a container: an exec session of the shim at one end of a socket pair, the page at the other."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from controlpanel.objects.models import Exec
from controlpanel.panel.messages import Incoming
from controlpanel.panel.topics.topic import Page, Topic
from controlpanel.streams import execs
from engine.containers.config import decode_exec
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
        session = await self._create()
        reader, writer = await self._begun(session)
        typing = asyncio.create_task(self._forward(writer))
        try:
            await self._show(reader)
        finally:
            typing.cancel()
            await _hang_up(writer)
        if self._overrun:
            raise Conflict("the process does not read what is typed")
        self.exit_code = (await execs.state(session))["exit_code"]

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
                await execs.resize(self._exec, rows, columns)

    async def _create(self) -> Exec:
        command, user = self.request.texts("command"), self.request.text("user", "", 256)
        streams = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True}
        config = decode_exec({"Cmd": command, "User": user, "Tty": True, **streams})
        scope = await self.page.require(self.action)
        return await execs.create(scope, self.request.text("container", limit=255), config)

    async def _begun(self, session: Exec) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A page that leaves meanwhile hangs up on a process that runs by then."""
        beginning = asyncio.create_task(self._begin(session))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            with suppress(MuelleError):
                _, writer = await beginning
                await _hang_up(writer)
            raise

    async def _begin(self, session: Exec) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Start the process. Nobody would ask for the row of one that does not."""
        size = self._size
        await execs.claim(session)
        try:
            ours = await _start(session, size)
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


async def _start(session: Exec, size: tuple[int, int]) -> socket.socket:
    """Start the process; the result is our end of its terminal."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with theirs:
            stdio = execs.stdio_of(session, framed=False, console_size=list(size))
            await execs.start(session, stdio, (theirs.fileno(),))
    except BaseException:
        ours.close()
        raise
    ours.setblocking(False)
    return ours


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.write(HANG_UP)
        writer.close()
        await writer.wait_closed()
