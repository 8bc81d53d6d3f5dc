"""One client connection: Twisted's HTTP parser with Docker's manners at its edges."""

from __future__ import annotations

import select
import socket
import struct
from typing import Any

from daphne.http_protocol import HTTPFactory
from twisted.internet import interfaces
from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.web import http
from zope.interface import implementer  # type: ignore[import-untyped]

from controlpanel.server.request import Request
from controlpanel.streams.connection import Peer

UCRED = struct.Struct("3i")
# For a client on the network that neither sends nor waits for anything. On the UNIX socket there is no limit, as in
# Docker: clients reuse connections after any pause.
IDLE_SECONDS = 600
# How often a half-closed connection is asked whether its other half is closed too: epoll does not tell once the end of
# file has been read, because nothing is left to be read.
HALF_CLOSED_SECONDS = 1.0


def peer_of(sock: socket.socket) -> Peer | None:
    """Who is at the other end of a UNIX socket; None for TCP."""
    if sock.family != socket.AF_UNIX:
        return None
    return Peer(*UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)))


# Twisted's annotations are partial; a base without any keeps strict typing for our own code.
HTTPChannel: Any = http.HTTPChannel


@implementer(interfaces.IHalfCloseableProtocol)
class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that survives the client's half-close, knows its peer, and limits headers as Go's server does."""

    MAX_LENGTH = totalHeadersSize = 1024 * 1024  # noqa: N815
    requestFactory = Request  # noqa: N815

    peer: Peer | None = None

    def connectionMade(self) -> None:  # noqa: N802
        super().connectionMade()
        sock: socket.socket = self.transport.socket
        self.peer = peer_of(sock)
        if self.peer is None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)

    def readConnectionLost(self) -> None:  # noqa: N802
        """The client sends nothing more. It may still read: ``printf … | nc``, and every non-interactive docker run."""
        if self._has_left() or self._is_stream_on_tcp():
            self._lose()
        elif self._handlingRequest:
            self.callLater(HALF_CLOSED_SECONDS, self._watch)
        else:
            self.loseConnection()

    def writeConnectionLost(self) -> None:  # noqa: N802
        """The transport reports errors of writing by ``connectionLost``."""

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802
        self._receivedHeaderSize += len(line)
        self._respondToBadRequestAndDisconnect()

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802
        too_long = self._receivedHeaderSize > self.totalHeadersSize
        status = b"431 Request Header Fields Too Large" if too_long else b"400 Bad Request"
        head = b"HTTP/1.1 %b\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n%b"
        self.transport.write(head % (status, status))
        self.loseConnection()

    def _has_left(self) -> bool:
        """Whether the other end is closed altogether: POLLHUP or POLLERR, which poll(2) always reports."""
        poller = select.poll()
        poller.register(self.transport.fileno(), 0)
        return bool(poller.poll(0))

    def _is_stream_on_tcp(self) -> bool:
        """TCP does not tell a client that has left from one that has only finished sending; as in Go, a stream ends."""
        return self.peer is None and bool(self.requests) and self.requests[0].is_streaming

    def _watch(self) -> None:
        if not self.transport.connected or not self._handlingRequest or self.requests[0].detached:
            return
        if self._has_left():
            self._lose()
        else:
            self.callLater(HALF_CLOSED_SECONDS, self._watch)

    def _lose(self) -> None:
        if self.transport.connected:
            self.transport.connectionLost(Failure(ConnectionDone()))  # type: ignore[no-untyped-call]


class Factory(HTTPFactory):  # type: ignore[misc]  # Daphne has no types
    """Builds channels; without Twisted's clock for access logs, which would wake an idle process every second."""

    protocol = Channel

    def buildProtocol(self, address: Any) -> Channel:  # noqa: N802
        channel = Channel()
        channel.factory = self
        channel.callLater = self.reactor.callLater
        channel.timeOut = None if isinstance(address, UNIXAddress) else IDLE_SECONDS
        return channel

    def startFactory(self) -> None:  # noqa: N802
        """Open no access log."""

    def stopFactory(self) -> None:  # noqa: N802
        """Nothing was opened."""
