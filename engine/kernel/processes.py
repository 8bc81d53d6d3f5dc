"""Processes by number and start time, which together name one for good: numbers come again; proc_pid_stat(5)."""

from __future__ import annotations

import ctypes
import functools

_PF_EXITING = 0x4  # <linux/sched.h>


def start_time(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat, in clock ticks since boot; None for a process that does not exist or is a zombie.

    Raises OSError when nothing can be said, as without a descriptor left: who lives must not be taken for dead.
    """
    fields = _stat(pid)
    return None if not fields or fields[0] in (b"Z", b"X") else int(fields[19])


def is_ending(pid: int) -> bool:
    """Whether a process has begun to end (PF_EXITING in field 9 of /proc/PID/stat), or has ended. Raises OSError.

    The first process of a PID namespace stays so until all others in it are reaped, and none can be made there
    meanwhile: fork(2) fails with ENOMEM.
    """
    fields = _stat(pid)
    return not fields or bool(int(fields[6]) & _PF_EXITING)


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the third on; none of a process that does not exist."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, field 2, is in parentheses and may hold anything.
            return file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def blank_command_line() -> None:
    """Overwrite what /proc/PID/cmdline and environ show of this process, and of those it will fork."""
    start, end = command_line_memory()
    ctypes.memset(start, 0, end - start)


@functools.cache
def command_line_memory() -> tuple[int, int]:
    """Where the kernel reads both: arg_start and env_end, fields 48 and 51 of /proc/PID/stat. A fork has the same."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return int(fields[45]), int(fields[48])
