"""What the server offers a view beyond ASGI, in ``request.scope``.

``muelle.peer``        Peer of a UNIX socket connection, absent on TCP
``muelle.connection``  Connection, which a view may take out of the server (hijack)
``muelle.upload``      Upload, for requests whose body is not read before the view runs; absent otherwise
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

PEER = "muelle.peer"
CONNECTION = "muelle.connection"
UPLOAD = "muelle.upload"


class Peer(NamedTuple):
    """SO_PEERCRED of a UNIX socket's other end, see unix(7)."""

    pid: int
    uid: int
    gid: int


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
