"""How many descriptors may be open: here as the hard limit allows, in containers as when we were started.

Programs that close all descriptors one by one, or use select(2), want the low soft limit; getrlimit(2).
"""

from __future__ import annotations

import functools
import resource


def raise_limit() -> None:
    """The launcher holds one descriptor for each shim and each client that waits."""
    _, hard = _inherited()
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def restore_limit() -> None:
    """For a command, which inherits it."""
    resource.setrlimit(resource.RLIMIT_NOFILE, _inherited())


@functools.cache
def _inherited() -> tuple[int, int]:
    """What it was before it was raised. A fork has the same."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)
