"""The server: Daphne on sockets that were bound before privileges were dropped, without its polling of connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from socket import socket
from typing import Any

# Daphne installs the asyncio reactor when it is imported, which must come before any other import of the reactor.
from daphne.server import Server as DaphneServer
from daphne.server import twisted_loop
from daphne.ws_protocol import WebSocketFactory
from twisted.internet import defer
from twisted.internet import reactor as installed_reactor
from twisted.logger import ILogObserver, globalLogBeginner
from zope.interface import implementer  # type: ignore[import-untyped]

from controlpanel.server.acceptor import Acceptor
from controlpanel.server.channel import Factory, peer_of
from controlpanel.server.request import Request
from controlpanel.streams.connection import CONNECTION, PEER, UPLOAD

logger = logging.getLogger(__name__)

# Its type is the interface of one of several reactors; which one it is was decided by Daphne.
reactor: Any = installed_reactor

WEBSOCKET_CHECK_SECONDS = 5
WEBSOCKET_BUFFER = 512 * 1024
WEBSOCKET_DRAIN_SECONDS = 0.02


class Server(DaphneServer):  # type: ignore[misc]  # Daphne has no types
    """Serves an ASGI application on listening sockets until SIGTERM or SIGINT."""

    def __init__(self, application: Any, sockets: Iterable[socket], on_start: Callable[[], None]) -> None:
        # Daphne refuses an empty list of endpoints; ours are sockets, not descriptions.
        super().__init__(application, endpoints=["adopted"], server_name="", websocket_timeout=-1)
        self.sockets = list(sockets)
        self.on_start = on_start
        self.connections: dict[Any, dict[str, Any]] = {}

    def run(self) -> None:
        asyncio.set_event_loop(twisted_loop)
        globalLogBeginner.beginLoggingTo([_ignore], redirectStandardIO=False, discardBuffer=True)
        self.http_factory = Factory(self)
        self.ws_factory = self._websocket_factory()
        for listener in self.sockets:
            Acceptor(twisted_loop, listener, self._connect).start()
        reactor.addSystemEventTrigger("before", "shutdown", self.kill_all_applications)
        reactor.callWhenRunning(self.on_start)
        reactor.run()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> asyncio.Queue[Any] | None:
        """Start the application for a request or WebSocket; it is reaped when it ends, not by a timer."""
        self._extend(protocol, scope)
        queue: asyncio.Queue[Any] | None = super().create_application(protocol, scope)
        if queue is not None:
            task: asyncio.Task[None] = self.connections[protocol]["application_instance"]
            task.add_done_callback(partial(self._ended, protocol))
            if scope["type"] == "websocket":
                self._check_websocket(protocol)
        return queue

    def protocol_disconnected(self, protocol: Any) -> None:
        details = self.connections.get(protocol)
        if details is None:
            return
        super().protocol_disconnected(protocol)
        task = details.get("application_instance")
        if task is None:
            del self.connections[protocol]
        elif "deadline" not in details:
            details["deadline"] = twisted_loop.call_later(self.application_close_timeout, task.cancel)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Pass on what the application sends, and let it wait while the client is behind."""
        await super().handle_reply(protocol, message)
        if "disconnected" in self.connections.get(protocol, {}):
            # An application that only ever sends would otherwise not get to hear that it is cancelled.
            await asyncio.sleep(0)
            return
        if isinstance(protocol, Request):
            if message.get("more_body"):
                await protocol.drained()
            return
        transport = protocol.transport
        while transport.connected and len(transport.dataBuffer) + transport._tempDataLen > WEBSOCKET_BUFFER:
            await asyncio.sleep(WEBSOCKET_DRAIN_SECONDS)

    def kill_all_applications(self) -> defer.Deferred[Any]:
        """Cancel what still runs, so that views close their descriptors before the process ends."""
        tasks = [details.get("application_instance") for details in self.connections.values()]
        running = [task for task in tasks if task is not None and not task.done()]
        for task in running:
            task.cancel()
        done = asyncio.gather(*running, return_exceptions=True) if running else asyncio.sleep(0)
        return defer.Deferred.fromFuture(asyncio.ensure_future(done, loop=twisted_loop))

    def _connect(self, connection: socket) -> None:
        # The reactor works on a duplicate.
        with connection:
            reactor.adoptStreamConnection(connection.fileno(), connection.family, self.http_factory)

    def _extend(self, protocol: Any, scope: dict[str, Any]) -> None:
        if isinstance(protocol, Request):
            scope[CONNECTION] = protocol
            peer = protocol.channel.peer
            if protocol.upload is not None:
                scope[UPLOAD] = protocol.upload
        else:
            peer = peer_of(protocol.transport.socket)
        if peer is not None:
            scope[PEER] = peer

    def _ended(self, protocol: Any, task: asyncio.Task[None]) -> None:
        details = self.connections.get(protocol)
        if details is None:
            return
        del details["application_instance"]
        if "deadline" in details:
            details["deadline"].cancel()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("exception inside the application", exc_info=error)
            if "disconnected" not in details:
                protocol.handle_exception(error)
        if "disconnected" in details or getattr(protocol, "detached", False):
            self.connections.pop(protocol, None)

    def _websocket_factory(self) -> Any:
        factory = WebSocketFactory(self, server=self.server_name)
        factory.setProtocolOptions(
            autoPingTimeout=self.ping_timeout,
            allowNullOrigin=True,
            openHandshakeTimeout=self.websocket_handshake_timeout,
            maxMessagePayloadSize=self.websocket_max_message_size,
            maxFramePayloadSize=self.websocket_max_frame_size,
        )
        return factory

    def _check_websocket(self, protocol: Any) -> None:
        """Pings and time limits of one WebSocket; a process without any sets no timer."""
        if protocol in self.connections:
            protocol.check_timeouts()
            twisted_loop.call_later(WEBSOCKET_CHECK_SECONDS, self._check_websocket, protocol)


@implementer(ILogObserver)  # type: ignore[untyped-decorator]
def _ignore(event: Any) -> None:
    """Twisted's own log: connections that come and go."""
