"""One set-up at a time in a checkout: two would build over each other in its environment, its packages and its page."""

from __future__ import annotations

import contextlib
import fcntl
from typing import TYPE_CHECKING

from install.settings import CACHE

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the checkout; wait, and say so, while another command does. Not to be nested: it would wait for itself."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another set-up in this checkout", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
