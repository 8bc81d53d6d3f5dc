"""Who may do what: the one place that decides. Whatever is not named here is refused."""

from __future__ import annotations

import enum
from typing import NamedTuple, Protocol

from django.core.exceptions import ImproperlyConfigured

from controlpanel.server.scope import Peer
from engine.errors import Forbidden, Unauthorized

_VERBS: dict[str, str] = {
    "containers": (
        "view create start stop restart kill pause unpause remove rename update prune attach exec resize archive "
        "export commit checkpoint"
    ),
    "images": "view load import save tag remove prune pull push build search",
    "networks": "view create remove connect disconnect prune",
    "volumes": "view create remove update prune",
    "system": "view manage",
    "account": "manage",
}
ACTIONS: frozenset[str] = frozenset(f"{noun}.{verb}" for noun, verbs in _VERBS.items() for verb in verbs.split())


class Owned(Protocol):
    """What an action is done to: an object of a project."""

    @property
    def project_id(self) -> str: ...


class Source(enum.StrEnum):
    """How a principal proved who it is."""

    SOCKET = "socket"
    SESSION = "session"
    TOKEN = "token"


class Principal(NamedTuple):
    """Somebody who is known: a user, or whoever could open the engine's socket (then ``user_id`` is None)."""

    name: str
    source: Source
    is_admin: bool
    user_id: int | None = None
    is_authenticated: bool = True

    @classmethod
    def from_peer(cls, peer: Peer) -> Principal:
        """The socket's mode lets root and the group in and nobody else, so whoever connected is an administrator."""
        return cls(f"uid {peer.uid}" if peer.uid else "root", Source.SOCKET, is_admin=True)


# Who acts when nobody has asked.
ENGINE = Principal("engine", Source.SOCKET, is_admin=True)


def known(action: str) -> str:
    """Return ``action`` as it is; a misspelt one stops the import of the module that names it."""
    if action not in ACTIONS:
        raise ImproperlyConfigured(f"{action!r} is not an action of controlpanel.access.policy")
    return action


def identify(principal: Principal | None) -> Principal:
    """The principal, or Unauthorized when nobody is signed in."""
    if principal is None:
        raise Unauthorized("sign in or send a token to use this address")
    return principal


def authorize(principal: Principal | None, action: str, target: Owned | None = None) -> Principal:
    """Let ``principal`` do ``action`` to ``target``, or raise Unauthorized (nobody is signed in) or Forbidden.

    Without a target the question is whether there is anything at all that the principal may do it to.
    """
    known = identify(principal)
    if not allowed(known, action, target):
        raise Forbidden(f"{known.name} is not allowed to {_describe(action)}")
    return known


def visible_projects(principal: Principal) -> frozenset[str] | None:
    """The projects whose objects ``principal`` may know of; None for all of them. What is elsewhere does not exist."""
    return None


def allowed(principal: Principal, action: str, target: Owned | None = None) -> bool:
    """Administrators may do everything, other users look; everybody manages the own account, in a session only.

    A token that could make further tokens would outlive its own expiry.
    """
    if action not in ACTIONS:
        return False
    if action == "account.manage":
        return principal.source is Source.SESSION
    return principal.is_admin or action.endswith(".view")


def _describe(action: str) -> str:
    noun, _, verb = action.partition(".")
    return f"{verb} {noun}"
