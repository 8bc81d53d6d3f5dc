"""The server: any ASGI application on sockets that are bound already, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from socket import socket
from typing import Any

from controlpanel.server.loop import loop, reactor  # isort: skip  # the first import of the reactor
from twisted.logger import ILogObserver, globalLogBeginner
from zope.interface import implementer  # type: ignore[import-untyped]

from controlpanel.server.connection import HttpConnection
from controlpanel.server.deadlines import Deadlines
from controlpanel.server.departures import Unread
from controlpanel.server.exchange import Exchange
from controlpanel.server.limits import Census, Limits
from controlpanel.server.listeners import BACKLOG
from controlpanel.server.scope import Application
from controlpanel.server.shutdown import Shutdown
from controlpanel.server.websockets import WebSockets

logger = logging.getLogger(__name__)

IsUpload = Callable[[bytes, str], bool]


class Server:
    """``is_upload`` tells from method and path which requests get their body as ``muelle.upload``."""

    def __init__(
        self,
        application: Application,
        sockets: Iterable[socket],
        *,
        is_upload: IsUpload = lambda method, target: False,
        on_start: Callable[[], None] = lambda: None,
        limits: Limits | None = None,
    ) -> None:
        self.application, self.is_upload = application, is_upload
        self.limits = limits or Limits()
        self.census = Census(self.limits)
        self.deadlines, self.unread = Deadlines(), Unread()
        self.websockets = WebSockets(application)
        self.connections: set[HttpConnection] = set()
        self.exchanges: set[Exchange] = set()
        self.is_stopping = False
        self.listeners: list[asyncio.Server] = []
        self._sockets, self._on_start = list(sockets), on_start

    def run(self) -> None:
        """Serve until the process is told to end; see ``shutdown`` for what happens then."""
        asyncio.set_event_loop(loop)
        globalLogBeginner.beginLoggingTo([_ignore], redirectStandardIO=False, discardBuffer=True)
        shutdown = Shutdown(self)
        shutdown.install()
        loop.run_until_complete(self._listen())
        reactor.run(installSignalHandlers=False)
        shutdown.leave()

    def start(self, exchange: Exchange) -> None:
        """Run the application for a request."""
        exchange.task = loop.create_task(self.application(exchange.scope(), exchange.receive, exchange.send))  # type: ignore[arg-type]
        self.exchanges.add(exchange)
        exchange.task.add_done_callback(partial(self._ended, exchange))

    def _ended(self, exchange: Exchange, task: asyncio.Task[Any]) -> None:
        self.exchanges.discard(exchange)
        exchange.task = None
        exchange.ended(task)

    async def _listen(self) -> None:
        for sock in self._sockets:
            create = loop.create_unix_server if sock.family.name == "AF_UNIX" else loop.create_server
            self.listeners.append(await create(lambda: HttpConnection(self), sock=sock, backlog=BACKLOG))
        self._on_start()


@implementer(ILogObserver)  # type: ignore[untyped-decorator]
def _ignore(event: Any) -> None:
    """Twisted's own log: connections that come and go."""
