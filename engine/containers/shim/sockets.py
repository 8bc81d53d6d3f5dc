"""Listening sockets of launcher and shims."""

from __future__ import annotations

import contextlib
import os
import socket


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
