"""WebSockets: Daphne's, on connections whose first request asked for one."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from controlpanel.server.loop import loop, reactor  # isort: skip  # the first import of the reactor
from daphne.server import Server as DaphneServer
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet import interfaces
from twisted.internet.protocol import Factory
from zope.interface import implementer  # type: ignore[import-untyped]

from controlpanel.server.heads import Head
from controlpanel.server.scope import PEER, Application

if TYPE_CHECKING:
    from controlpanel.server.connection import HttpConnection
    from controlpanel.server.limits import Place

logger = logging.getLogger(__name__)

# How often time limits and pings are looked at.
CHECK_SECONDS = 5
GOING_AWAY = 1001  # RFC 6455 section 7.4.1


@implementer(interfaces.IPushProducer)
class Gate:
    """Open while the client keeps up; Twisted shuts it at 64 KiB of unsent bytes."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._open = asyncio.Event()
        self._open.set()

    async def passed(self) -> None:
        await self._open.wait()

    def pauseProducing(self) -> None:  # noqa: N802
        self._open.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self._open.set()
        if self._transport.disconnecting:
            # Twisted closes when all is written and nobody has more, not when a producer has been told to go on.
            self._transport.unregisterProducer()

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is gone: whoever waits goes on and learns of it."""
        self._open.set()


class WebSocket(WebSocketProtocol):  # type: ignore[misc]  # Daphne has no types
    """Holds up who sends faster than the client reads, and gives its place back at the end."""

    place: Place | None = None
    extension: dict[str, Any]

    def connectionMade(self) -> None:  # noqa: N802
        super().connectionMade()
        self.gate = Gate(self.transport)
        self.transport.registerProducer(self.gate, True)

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        super().connectionLost(reason)
        if self.place is not None:
            self.place.give_back()


class Adopter(Factory):
    """Gives Twisted the one protocol that a connection is to have."""

    def __init__(self, protocol: WebSocket) -> None:
        self._protocol = protocol

    def buildProtocol(self, address: Any) -> WebSocket:  # noqa: N802
        return self._protocol


class WebSockets(DaphneServer):  # type: ignore[misc]
    """Daphne's server without listening sockets and without polling: connections come to it one by one."""

    def __init__(self, application: Application) -> None:
        # Daphne refuses an empty list of endpoints.
        super().__init__(application, endpoints=["adopted"], server_name="", websocket_timeout=-1)
        self.connections: dict[Any, dict[str, Any]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.factory = WebSocketFactory(self, server=self.server_name)
        self.factory.protocol = WebSocket
        self.factory.setProtocolOptions(
            autoPingTimeout=self.ping_timeout,
            allowNullOrigin=True,
            openHandshakeTimeout=self.websocket_handshake_timeout,
            maxMessagePayloadSize=self.websocket_max_message_size,
            maxFramePayloadSize=self.websocket_max_frame_size,
        )

    def adopt(self, connection: HttpConnection, head: Head) -> None:
        """Move a connection from asyncio's transport to one of Twisted, and let Daphne read the request again."""
        protocol: WebSocket = self.factory.buildProtocol(None)
        protocol.extension = {} if connection.peer is None else {PEER: connection.peer}
        # What Daphne's own HTTP protocol does when it hands a connection over.
        protocol._raw_query_string = head.query
        protocol.place = connection.take_place()
        try:
            surplus = self._move(connection, protocol)
        except OSError:
            # There are no more descriptors.
            if protocol.place is not None:
                protocol.place.give_back()
            raise
        protocol.dataReceived(head.to_bytes() + surplus)

    def _move(self, connection: HttpConnection, protocol: WebSocket) -> bytes:
        """What had been read past the request. Raises OSError."""
        family = connection.family
        fd, surplus = connection.release()
        try:
            # The reactor works on a duplicate.
            reactor.adoptStreamConnection(fd, family, Adopter(protocol))
        finally:
            os.close(fd)
        return surplus

    def create_application(self, protocol: WebSocket, scope: dict[str, Any]) -> asyncio.Queue[Any] | None:
        """Start the application; it is reaped when it ends, not by a timer."""
        scope |= protocol.extension
        queue: asyncio.Queue[Any] | None = super().create_application(protocol, scope)
        if queue is not None:
            task: asyncio.Task[None] = self.connections[protocol]["application_instance"]
            task.add_done_callback(partial(self._ended, protocol))
            self._watch()
        return queue

    def protocol_disconnected(self, protocol: WebSocket) -> None:
        details = self.connections.get(protocol)
        if details is None:
            return
        super().protocol_disconnected(protocol)
        task = details.get("application_instance")
        if task is None:
            del self.connections[protocol]
        elif "deadline" not in details:
            details["deadline"] = loop.call_later(self.application_close_timeout, task.cancel)

    async def handle_reply(self, protocol: WebSocket, message: dict[str, Any]) -> None:
        """Pass on what the application sends, and let it wait while the client is behind."""
        await super().handle_reply(protocol, message)
        if "disconnected" in self.connections.get(protocol, {}):
            # An application that only ever sends would otherwise not get to hear that it is cancelled.
            await asyncio.sleep(0)
        else:
            await protocol.gate.passed()

    def stop(self) -> list[asyncio.Task[Any]]:
        """Say goodbye to all clients and cancel all applications; these are returned."""
        tasks = []
        for protocol, details in self.connections.items():
            if "disconnected" not in details:
                protocol.sendCloseFrame(code=GOING_AWAY)
                protocol.transport.loseConnection()
            task = details.get("application_instance")
            if task is not None:
                task.cancel()
                tasks.append(task)
        return tasks

    def cut(self) -> None:
        """Drop who does not read the goodbye."""
        for protocol in list(self.connections):
            protocol.transport.abortConnection()

    def _ended(self, protocol: WebSocket, task: asyncio.Task[None]) -> None:
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
        if "disconnected" in details:
            self.connections.pop(protocol, None)

    def _watch(self) -> None:
        if self._timer is None and self.connections:
            self._timer = loop.call_later(CHECK_SECONDS, self._check)

    def _check(self) -> None:
        """Pings and time limits; a process without WebSockets sets no timer."""
        self._timer = None
        for protocol in list(self.connections):
            protocol.check_timeouts()
        self._watch()
