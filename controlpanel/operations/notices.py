"""Datagrams to the monitor: "look at this container". Loss is allowed, it also looks by itself."""

from __future__ import annotations

import contextlib
import json
import socket

from django.conf import settings

LOOK, STARTED = "look", "started"  # from workers
EXITED, OOM = "exited", "oom"  # from shims


def nudge(container_id: str, notice: str = LOOK) -> None:
    """Ask the monitor to compare a container's row with the disk and to answer those who wait for its end.

    After a start (STARTED) it needs to look only if the end is on disk already.
    """
    message = json.dumps({"container": container_id, "notice": notice}).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock, contextlib.suppress(OSError):
        sock.sendto(message, str(settings.MUELLE_LAYOUT.notice_socket))
