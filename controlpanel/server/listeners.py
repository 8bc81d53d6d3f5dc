"""Sockets to listen on, bound while the process is still root."""

from __future__ import annotations

import errno
import grp
import os
import socket
from pathlib import Path

# Go's clients do not wait for a place in the queue of a UNIX socket, they fail. Bounded by net.core.somaxconn.
BACKLOG = 4096
SOCKET_MODE = 0o660
DEFAULT_GROUP = "muelle"
LOOPBACK = "127.0.0.1"


def bind_unix(path: Path, kind: socket.SocketKind) -> socket.socket:
    """Listen at ``path`` for root and the group muelle. A socket file that nobody serves any more is replaced."""
    _remove_stale(path, kind)
    sock = socket.socket(socket.AF_UNIX, kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    sock.bind(os.fspath(path))
    # Before listen() nobody can connect, so the wide mode that bind() gives is never of use to anyone.
    path.chmod(SOCKET_MODE)
    if os.geteuid() == 0:
        os.chown(path, 0, _group())
    sock.listen(BACKLOG)
    return sock


def bind_tcp(address: str) -> socket.socket:
    host, port = split_address(address)
    family, kind, protocol, _, target = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(target)
    sock.listen(BACKLOG)
    return sock


def split_address(address: str) -> tuple[str, int]:
    """Host and port; without a host it is the loopback address, never all interfaces by accident."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or LOOPBACK
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"MUELLE_BIND={address!r}: want HOST:PORT")
    return host, int(port)


def _remove_stale(path: Path, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, kind) as probe:
        result = probe.connect_ex(os.fspath(path))
    if result == errno.ECONNREFUSED:
        path.unlink(missing_ok=True)
    elif result != errno.ENOENT:
        raise OSError(errno.EADDRINUSE, "another process serves this socket", os.fspath(path))


def _group() -> int:
    try:
        return grp.getgrnam(DEFAULT_GROUP).gr_gid
    except KeyError:
        return 0
