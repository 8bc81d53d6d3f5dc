"""The exit code of a child, in Docker's terms."""

from __future__ import annotations

import os

SIGNAL_BASE = 128
KILLED = SIGNAL_BASE + 9


def reap(pid: int) -> int:
    """Collect a child that has ended: its status, or 128 + the signal that ended it; wait(2)."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return KILLED
    code = os.waitstatus_to_exitcode(status)
    return SIGNAL_BASE - code if code < 0 else code
