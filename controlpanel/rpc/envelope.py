"""What travels around the arguments of every operation: who asked for it, and which node is to do it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple, Protocol

from controlpanel.access.policy import Principal


class Caller(Protocol):
    """Whoever may call an operation; ``controlpanel.access.scope.Scope`` is one."""

    @property
    def principal(self) -> Principal: ...
    @property
    def node(self) -> str: ...


class Envelope(NamedTuple):
    """The actor as text and by key, how it proved who it is, and the node."""

    actor: str
    user_id: int | None
    source: str
    node: str

    @classmethod
    def of(cls, caller: Caller) -> Envelope:
        principal = caller.principal
        return cls(principal.name, principal.user_id, str(principal.source), caller.node)


# Set while a worker performs an operation, for whoever records what was done.
CURRENT: ContextVar[Envelope | None] = ContextVar("envelope", default=None)


def actor() -> str:
    """Who asked for what is being done; empty for what the engine does by itself."""
    envelope = CURRENT.get()
    return envelope.actor if envelope else ""
