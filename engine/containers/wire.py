"""The protocol between worker, web process, launcher and shim: one JSON object per packet, descriptors beside it.

UNIX SOCK_SEQPACKET keeps packet borders, so there is no framing to get wrong. An error travels as ``{"error": {"kind",
"message"}}`` (``MuelleError.to_json``). Descriptors travel by SCM_RIGHTS, see unix(7).
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterable
from typing import Any

from engine.errors import MuelleError, Unavailable

Message = dict[str, Any]

MAX_MESSAGE = 128 * 1024
MAX_DESCRIPTORS = 6
_DESCRIPTOR = struct.Struct("i")
_RIGHTS = (int(socket.SOL_SOCKET), int(socket.SCM_RIGHTS))
# Plain numbers: arithmetic on enumerations writes to a hundred kilobytes that a shim would else share with others.
_TOO_LONG = int(socket.MSG_TRUNC | socket.MSG_CTRUNC)
_CLOSE_ON_EXEC = int(socket.MSG_CMSG_CLOEXEC)


def send(sock: socket.socket, message: Message, fds: Iterable[int] = ()) -> None:
    """Send one message; ``fds`` are duplicated into the receiver and stay open here."""
    socket.send_fds(sock, [json.dumps(message).encode()], list(fds))


def receive(sock: socket.socket) -> tuple[Message, list[int]]:
    """Receive one message with its descriptors, which the caller owns. Raises EOFError when the peer has closed."""
    # Not socket.recv_fds: before Python 3.13 it drops its flags, and descriptors would leak into commands.
    space = socket.CMSG_SPACE(MAX_DESCRIPTORS * _DESCRIPTOR.size)
    data, ancillary, flags, _ = sock.recvmsg(MAX_MESSAGE, space, _CLOSE_ON_EXEC)
    fds = [fd for level, kind, payload in ancillary if (level, kind) == _RIGHTS for fd in _unpack(payload)]
    try:
        if not data and not fds:
            raise EOFError("the peer closed the connection")
        if flags & _TOO_LONG:
            raise ValueError("message too long")
        message = _decode(data)
        if not isinstance(message, dict):
            raise ValueError("message is not an object")
    except BaseException:
        close_all(fds)
        raise
    return message, fds


def _decode(data: bytes) -> Any:
    try:
        return json.loads(data.decode())
    except RecursionError as error:
        raise ValueError("message too deep") from error


def _unpack(payload: bytes) -> list[int]:
    whole = len(payload) - len(payload) % _DESCRIPTOR.size
    return [fd for (fd,) in _DESCRIPTOR.iter_unpack(payload[:whole])]


def result(message: Message) -> Message:
    """Return a reply, or raise the error in it."""
    if "error" in message:
        raise MuelleError.from_json(message["error"])
    return message


def connect(path: str | os.PathLike[str], timeout: float = 30) -> socket.socket:
    """Connect to a socket of this protocol. Raises Unavailable when nobody listens; clients read the text of that."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    sock.settimeout(timeout)
    try:
        sock.connect(os.fspath(path))
    except OSError as error:
        sock.close()
        raise Unavailable(f"no process answers at {_name(path)}: {error.strerror}") from error
    return sock


def _name(path: str | os.PathLike[str]) -> str:
    """What a client may know of a socket: not where it lies."""
    return os.fspath(path).rpartition("/")[2]


def call(path: str | os.PathLike[str], message: Message, fds: Iterable[int] = (), timeout: float = 30) -> Message:
    """Send one request on a connection of its own and return the reply, or raise the error in it."""
    with connect(path, timeout) as sock:
        try:
            send(sock, message, fds)
            reply, received = receive(sock)
        except (OSError, EOFError) as error:
            raise Unavailable(f"the process at {_name(path)} went away: {error}") from error
    close_all(received)
    return result(reply)


def close_all(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)
