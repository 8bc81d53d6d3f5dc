"""Who works on a container in a transient state: whoever finds it dead repairs the row and answers its caller."""

from __future__ import annotations

import os
from functools import cache

from controlpanel.tasks import operation
from engine.kernel.processes import start_time


def me() -> str:
    """This process and its call, ``pid:start_time:call``; the start time tells it from a later process of its PID."""
    return f"{_identity(os.getpid())}:{operation.call_id()}"


def is_alive(mover: str) -> bool:
    """Whether the process that ``mover`` names still runs."""
    pid, _, started = mover.rpartition(":")[0].partition(":")
    return pid.isdigit() and bool(started) and str(start_time(int(pid))) == started


def call_of(mover: str) -> str:
    """The call that the mover worked for; empty when it was none."""
    return mover.rpartition(":")[2]


@cache  # keyed by PID: a forked child asks anew
def _identity(pid: int) -> str:
    return f"{pid}:{start_time(pid)}"
