"""Undoing what an operation has done when it fails half-way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

logger = logging.getLogger(__name__)


@contextmanager
def undone_on_failure(operation: str) -> Iterator[ExitStack]:
    """A stack of what takes back the steps of an ``operation``: run, last step first, only when it fails.

    The operation's own error is what the caller gets. A step that cannot be taken back stops no other; it is noted on
    that error and logged, so that both failures are reported.
    """
    stack = ExitStack()
    try:
        yield stack
    except BaseException as error:
        try:
            stack.close()
        except Exception as failure:
            error.add_note(f"undoing the {operation} failed, too: {failure!r}")
            logger.exception("undoing the %s failed after: %r", operation, error)
        raise
