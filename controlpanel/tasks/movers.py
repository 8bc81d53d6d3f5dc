"""Who works on a container in a transient state: whoever finds it dead repairs the row and answers its caller."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from controlpanel.tasks import operation


def me() -> str:
    """This process and its call, ``pid:start_time:call``; the start time tells it from a later process of its PID."""
    return f"{_identity(os.getpid())}:{operation.call_id()}"


def is_alive(mover: str) -> bool:
    """Whether the process that ``mover`` names still runs."""
    pid, _, start_time = mover.rpartition(":")[0].partition(":")
    return pid.isdigit() and bool(start_time) and _start_time(int(pid)) == start_time


def call_of(mover: str) -> str:
    """The call that the mover worked for; empty when it was none."""
    return mover.rpartition(":")[2]


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
