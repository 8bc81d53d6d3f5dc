"""Processes that a test run started, wherever they were reparented to, and whoever listens at a socket."""

from __future__ import annotations

import os
import secrets
import socket
import struct
from pathlib import Path

MARK = "MUELLE_TEST_RUN"


def mark() -> None:
    """Mark this process's environment: every program started from here on inherits it."""
    os.environ[MARK] = secrets.token_hex(8)


def marked() -> list[str]:
    """``PID command line`` of each living process with this run's mark, and of forks of this very process."""
    own = Path("/proc/self/cmdline").read_bytes()
    wanted = f"{MARK}={os.environ[MARK]}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes()
            belongs = wanted in (path / "environ").read_bytes().split(b"\0") or command == own
            zombie = (path / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue  # it ended meanwhile
        if belongs and not zombie and int(path.name) != os.getpid():
            found.append(f"{path.name} {command.replace(bytes(1), b' ').decode(errors='replace').strip()}")
    return found


def listening_at(path: Path) -> int:
    """The process that listens at a UNIX socket: SO_PEERCRED in unix(7)."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        pid, _, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)
