"""What every change of this room has in common: one at a time, and the kernel's errors reported as ours."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import SystemFailure

if TYPE_CHECKING:
    from engine.layout import Layout


@contextmanager
def exclusive(layout: Layout) -> Iterator[None]:
    """Wait for, then hold the installation's network lock. The kernel drops it with its holder."""
    descriptor = os.open(layout.network_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def reported() -> Iterator[None]:
    """Turn an OSError into SystemFailure with the purpose that the kernel room put into it."""
    try:
        yield
    except OSError as error:
        raise SystemFailure(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error
