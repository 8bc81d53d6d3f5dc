"""Listening sockets of launcher and shims."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Callable

from engine.containers.shim.loop import READ, Loop

_PAUSE = 0.1  # seconds


def listen(path: str, mode: int, group: int) -> socket.socket:
    """Listen at ``path`` for SOCK_SEQPACKET connections; what an ended process left there is replaced.

    The socket is made without any permission and gets them once its group is right.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = os.umask(0o777)
    try:
        sock.bind(path)
    finally:
        os.umask(before)
    os.chown(path, 0, group)
    os.chmod(path, mode)
    sock.listen(128)
    return sock


def serve(loop: Loop, listener: socket.socket, take: Callable[[socket.socket], object]) -> None:
    """Have ``take`` called with each connection, until the listener is closed.

    While there is no descriptor for one it waits in the kernel's queue, which is then looked at now and again.
    """

    def ready(_events: int) -> None:
        try:
            sock, _ = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                loop.watch(listener.fileno(), 0, ready)  # not forgotten: a shim forked meanwhile closes it too
                loop.later(_PAUSE, resume)
        else:
            take(sock)

    def resume() -> None:
        if listener.fileno() >= 0:
            loop.watch(listener.fileno(), READ, ready)

    resume()
