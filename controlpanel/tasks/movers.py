"""Who works on a container in a transient state, so that whoever finds the worker dead can repair the row."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


def me() -> str:
    """This process as ``pid:start_time``; the start time tells it from a later process with the same PID."""
    return _identity(os.getpid())


def is_alive(mover: str) -> bool:
    """Whether the process that ``mover`` names still runs."""
    pid, _, _ = mover.partition(":")
    return pid.isdigit() and _start_time(int(pid)) is not None and f"{pid}:{_start_time(int(pid))}" == mover


@cache  # keyed by PID: a forked child asks anew
def _identity(pid: int) -> str:
    return f"{pid}:{_start_time(pid)}"


def _start_time(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat (proc_pid_stat(5)), counted after the command's closing parenthesis."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]
