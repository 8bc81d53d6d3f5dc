"""Writing to files of procfs, and to nothing that somebody put in their place (CVE-2025-52881)."""

from __future__ import annotations

import os

from engine.errors import SystemFailure
from engine.kernel import libc


def write(path: str, text: str) -> None:
    """Raises OSError, and SystemFailure for what is no file of procfs. A FIFO in its place is not waited for."""
    fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if libc.file_system(fd) != libc.PROC_SUPER_MAGIC:
            raise SystemFailure(f"{path} is not a file of procfs")
        os.write(fd, text.encode())
    finally:
        os.close(fd)
