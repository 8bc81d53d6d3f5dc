"""Exec sessions: a claim that nobody makes use of is given up, and what is known of one whose shim has gone."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from controlpanel.access import policy
from controlpanel.access.scope import Scope
from controlpanel.objects import events
from controlpanel.objects.models import Container, Exec, Node
from controlpanel.objects.states import Status
from controlpanel.streams import execs
from engine.containers.config import decode_exec
from engine.errors import Conflict, InvalidArgument

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "publish_all", lambda published: None)


@pytest.fixture
def container(db: None) -> Container:
    node, _ = Node.objects.get_or_create(name="local")
    body: dict[str, Any] = {"config": {"Cmd": ["sh"]}, "host_config": {}}
    return Container.objects.create(
        id="c" * 64, node=node, project_id="default", name="web", status=Status.RUNNING, created_at="", **body
    )


@pytest.fixture
def session(container: Container) -> Exec:
    return Exec.objects.create(
        id="e" * 64, container=container, config=decode_exec({"Cmd": ["sh"]}), created=time.time_ns()
    )


async def test_a_claim_that_is_cancelled_is_given_up(session: Exec) -> None:
    """The one thread of this test is busy, so the claim waits for it; what is sent to a thread is not called back."""
    go = threading.Event()
    busy = asyncio.create_task(sync_to_async(go.wait)(10))
    await asyncio.sleep(0)
    claiming = asyncio.create_task(execs.claim(session))
    await asyncio.sleep(0.05)
    claiming.cancel()
    await asyncio.sleep(0.05)
    go.set()
    await busy
    with pytest.raises(asyncio.CancelledError):
        await claiming
    await session.arefresh_from_db()
    assert (session.started, session.running, session.exit_code) == (True, False, execs.NOT_STARTED)


async def test_a_cancelled_claim_leaves_another_s_alone(session: Exec) -> None:
    other = await Exec.objects.select_related("container").aget(pk=session.pk)
    await execs.claim(other)
    claiming = asyncio.create_task(execs.claim(session))
    await asyncio.sleep(0)
    claiming.cancel()
    with pytest.raises((asyncio.CancelledError, Conflict)):
        await claiming
    await session.arefresh_from_db()
    assert (session.running, session.exit_code) == (True, None)


@pytest.mark.parametrize("keys", ["foo", "ctrl-p,", "ctrl-ä"])
async def test_keys_that_are_none_make_no_session(container: Container, keys: str) -> None:
    scope = Scope(policy.ENGINE, "local")
    with pytest.raises(InvalidArgument, match=rf"Invalid escape keys \({keys}\) provided"):
        await execs.create(scope, container.id, decode_exec({"Cmd": ["sh"], "DetachKeys": keys}))
    assert not await Exec.objects.aexists()


async def test_one_whose_shim_is_gone_was_killed(session: Exec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's Go client takes an exit code of null for 0."""
    monkeypatch.setattr(execs, "RECORD_SECONDS", 0.05)
    await execs.claim(session)
    assert await execs.state(session) == {"running": False, "exit_code": 137, "pid": 0}
