"""Operations on a node as a whole."""

from __future__ import annotations

from controlpanel.rpc.operation import Queue, operation


@operation(Queue.LIFECYCLE)
def ping() -> bool:
    """True: a worker is there and answers."""


@operation(Queue.LIFECYCLE, 2.0)
def warnings() -> list[str]:
    """What on this host keeps containers from working as they should, for ``docker info``."""
