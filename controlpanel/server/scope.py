"""What the server offers an application beyond ASGI, in the scope of a request.

``muelle.peer``        Peer of a UNIX socket connection, absent on TCP; Django's requests have it in META too, under a
                       name that no header can take because headers become ``HTTP_…``
``muelle.connection``  Connection, which a view may take out of the server (hijack); of HTTP requests only
``muelle.upload``      Upload, for requests whose body is not read before the view runs; absent otherwise
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple, Protocol

PEER = "muelle.peer"
CONNECTION = "muelle.connection"
UPLOAD = "muelle.upload"

Scope = MutableMapping[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

UCRED = struct.Struct("3i")


class Peer(NamedTuple):
    """The process at the other end of a UNIX socket, as the kernel reports it (SO_PEERCRED in unix(7))."""

    pid: int
    uid: int
    gid: int

    @classmethod
    def of(cls, sock: socket.socket) -> Peer | None:
        """None for TCP."""
        if sock.family != socket.AF_UNIX:
            return None
        return cls(*UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)))


class Detached(NamedTuple):
    """A connection outside the server: a descriptor, owned by the caller, and what had been read past the request."""

    fd: int
    surplus: bytes


class Connection(Protocol):
    async def detach(self) -> Detached:
        """Take the connection out of the server. Raises ConnectionError when the client has left."""


class Upload(Protocol):
    def open(self) -> int:
        """The reading end of the body, owned by the caller; ECONNRESET there means that the client broke off."""
