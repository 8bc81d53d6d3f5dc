"""Operations on the node as a whole."""

from __future__ import annotations

from controlpanel.tasks.operation import operation


@operation("system.ping")
def ping() -> bool:
    """A worker is there and answers."""
    return True
