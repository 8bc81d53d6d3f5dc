"""Namespaces of another container, which this one joins.

A number may have passed to another process since it was written down, after a reboot to one of the host, whose
namespaces a container must never get: together with its start time it names one process for good.
"""

from __future__ import annotations

import os
from typing import Any

from engine.errors import Conflict
from engine.kernel.processes import start_time


def open_namespace(peer: dict[str, Any], kind: str) -> int:
    """A descriptor of ``/proc/PID/ns/KIND`` of a `engine.containers.spec.Peer`. Raises Conflict when it has ended."""
    try:
        fd = os.open(f"/proc/{peer['pid']}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _ended(kind) from error
    # Looked at once it is open: if the process lives now, it was this one that was opened.
    if start_time(peer["pid"]) != peer["start_time"]:
        os.close(fd)
        raise _ended(kind)
    return fd


def _ended(kind: str) -> Conflict:
    return Conflict(f"cannot join {kind} of a container that has just ended")
