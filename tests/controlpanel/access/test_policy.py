"""The chokepoint: who may do what."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from controlpanel.access import policy
from controlpanel.access.policy import Principal, Source
from controlpanel.server.scope import Peer
from engine.errors import Forbidden, Unauthorized

ADMIN = Principal("root", Source.SESSION, is_admin=True, user_id=1)
VIEWER = Principal("vera", Source.SESSION, is_admin=False, user_id=2)


@pytest.mark.parametrize("action", sorted(policy.ACTIONS))
def test_an_administrator_may_everything(action: str) -> None:
    policy.authorize(ADMIN, action)


@pytest.mark.parametrize("action", sorted(policy.ACTIONS - {"account.manage"}))
def test_a_viewer_only_looks(action: str) -> None:
    if action.endswith(".view"):
        policy.authorize(VIEWER, action)
    else:
        with pytest.raises(Forbidden, match="vera is not allowed to"):
            policy.authorize(VIEWER, action)


@pytest.mark.parametrize("action", sorted(policy.ACTIONS))
def test_nobody_may_nothing(action: str) -> None:
    with pytest.raises(Unauthorized):
        policy.authorize(None, action)


def test_an_unknown_action_is_refused_even_to_an_administrator() -> None:
    with pytest.raises(Forbidden):
        policy.authorize(ADMIN, "containers.fly")
    with pytest.raises(ImproperlyConfigured):
        policy.known("containers.fly")


@pytest.mark.parametrize(("source", "allowed"), [(Source.SESSION, True), (Source.TOKEN, False), (Source.SOCKET, False)])
def test_only_a_session_manages_its_account(source: Source, allowed: bool) -> None:
    assert policy.allowed(VIEWER._replace(source=source), "account.manage") is allowed
    assert policy.allowed(ADMIN._replace(source=source), "account.manage") is allowed


@pytest.mark.parametrize(("uid", "name"), [(0, "root"), (1000, "uid 1000")])
def test_a_peer_of_the_socket_is_an_administrator(uid: int, name: str) -> None:
    principal = Principal.from_peer(Peer(pid=1, uid=uid, gid=uid))
    assert (principal.name, principal.is_admin, principal.user_id) == (name, True, None)
