"""A terminal in a container: an exec session of the shim at one end of a socket pair, the page at the other."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from controlpanel.objects.models import Exec
from controlpanel.panel.messages import Incoming
from controlpanel.panel.topics.topic import Page, Topic
from controlpanel.streams import execs
from controlpanel.streams.typed import Typed
from engine.containers.config import decode_exec
from engine.errors import Conflict, MuelleError

READ_SIZE = 32 * 1024
# A closed page means to its shell what a closed window means: interrupt what runs, then end of input.
HANG_UP = b"\x03\x04"
# How long that may take with a process that does not read.
HANG_UP_SECONDS = 1.0


class TerminalTopic(Topic):
    """Input that came before the process runs waits; a resize before that is the size it starts with."""

    action = "containers.exec"

    def __init__(self, page: Page, channel: int, request: Incoming) -> None:
        super().__init__(page, channel, request)
        self._size = (request.number("rows", 24, 1, 1000), request.number("columns", 80, 1, 1000))
        self._fitted = self._size
        self._resized = asyncio.Event()
        self._typed = Typed()
        self._writer: asyncio.StreamWriter | None = None
        self._overrun = False

    async def run(self) -> None:
        session = await self._create()
        reader, writer = await self._begun(session)
        tasks = [asyncio.create_task(self._forward(writer)), asyncio.create_task(self._fit(session))]
        try:
            await self._show(reader)
        finally:
            for task in tasks:
                task.cancel()
            await _hang_up(writer)
        if self._overrun:
            raise Conflict("the process does not read what is typed")
        self.exit_code = (await execs.state(session))["exit_code"]

    def receive(self, data: bytes) -> None:
        """Keep what is typed until the process takes it; too much of it ends the terminal."""
        if self._overrun or self._typed.put(data):
            return
        self._overrun = True
        if self._writer is not None:
            self._writer.transport.abort()

    def resize(self, rows: int, columns: int) -> None:
        """Note the newest size; the shim is told of it in a while."""
        self._size = (rows, columns)
        self._resized.set()

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
        await execs.claim(session)
        self._fitted = self._size
        try:
            ours = await _start(session, self._fitted)
        except BaseException:
            await session.adelete()
            raise
        reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=READ_SIZE)
        if self._overrun:  # before there was anything to end
            self._writer.transport.abort()
        return reader, self._writer

    async def _show(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(READ_SIZE):
            await self.page.require(self.action)
            await self.page.send_bytes(self.channel, data)

    async def _forward(self, writer: asyncio.StreamWriter) -> None:
        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        with suppress(ConnectionError):
            await self._typed.forward(write)

    async def _fit(self, session: Exec) -> None:
        """Tell the shim the newest size, one at a time: it may take long to answer."""
        while True:
            if self._fitted == self._size:
                self._resized.clear()
                await self._resized.wait()
            self._fitted = self._size
            # The process may have ended at this moment.
            with suppress(MuelleError):
                await execs.resize(session, *self._fitted)


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
    """Close the terminal, and do not wait long for a process that reads nothing."""
    try:
        with suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(HANG_UP_SECONDS):
                writer.write(HANG_UP)
                writer.close()
                await writer.wait_closed()
    finally:
        writer.transport.abort()
