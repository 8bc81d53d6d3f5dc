"""A call through a real broker to a real worker, and what becomes of it when one of them dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pytest
from celery import Celery

from controlpanel import broker
from controlpanel.access import policy
from controlpanel.access.policy import Principal
from controlpanel.contracts import containers, system
from controlpanel.rpc import app, calls, orphans, replies
from controlpanel.rpc.envelope import Envelope
from controlpanel.rpc.replies import Replies
from engine.errors import Conflict, NotFound, Unavailable
from install.broker import program
from tests.controlpanel.operations.conftest import PATIENCE, until

if TYPE_CHECKING:
    from pytest_django import Settings

CHECKOUT = Path(__file__).resolve().parents[3]
WORKER = [
    "celery",
    "-A",
    "controlpanel.rpc.app",
    "worker",
    "--queues=local.lifecycle",
    "--concurrency=2",
    "--loglevel=error",
]
QUEUE = app.queue_name("lifecycle")
QUIET = ["--loglevel=error", "--without-gossip", "--without-mingle", "--without-heartbeat"]
Spawn = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def home(tmp_path: Path, settings: Settings) -> dict[str, str]:
    """The environment of the processes; the caller's own side is pointed at the same broker."""
    settings.MUELLE_BROKER_URL = f"unix://{tmp_path}/broker.sock"
    (tmp_path / "db").mkdir()
    environment = {**os.environ, "MUELLE_HOME": str(tmp_path), "MUELLE_RUN": str(tmp_path), "MUELLE_NODE": "local"}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0", "--skip-checks"], cwd=CHECKOUT, env=environment, check=True
    )
    return environment


@pytest.fixture
def spawn(home: dict[str, str]) -> Iterator[Spawn]:
    """Start a program; it and its children are killed at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str, node: str = "local") -> subprocess.Popen[bytes]:
        environment = {**home, "MUELLE_NODE": node}
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        kill(process)


@pytest.fixture
def serve(spawn: Spawn, home: dict[str, str]) -> Callable[[], subprocess.Popen[bytes]]:
    """Start the broker."""

    def start() -> subprocess.Popen[bytes]:
        path = Path(home["MUELLE_RUN"], "broker.sock")
        path.unlink(missing_ok=True)
        process = spawn(str(program()), "--port", "0", "--unixsocket", str(path), "--save", "", "--loglevel", "nothing")
        until(path.exists)
        return process

    return start


class Asker(NamedTuple):
    """Whoever calls."""

    principal: Principal = policy.ENGINE
    node: str = "local"


ASKER = Asker()


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch, home: dict[str, str]) -> None:
    """A sender of the test's own; replies belong to the test's event loop."""
    own = Celery("test-caller", broker=app.broker_url(), fixups=[], set_as_current=False)
    monkeypatch.setattr(calls, "_sender", own)


@pytest.fixture
async def box(caller: None) -> AsyncIterator[Replies]:
    """The replies of the test's loop."""
    found = replies.of_this_loop()
    yield found
    await found.close()


async def ping(patience: float | None = 60) -> bool:
    answer: bool = await calls.call(ASKER, system.ping.name, system.ping.queue, {}, patience)
    return answer


async def eventually(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def work(spawn: Spawn) -> Callable[[], subprocess.Popen[bytes]]:
    return lambda: spawn(sys.executable, "-W", "ignore", "-m", *WORKER, *QUIET)


def kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


class TestCalls:
    async def test_values_and_errors_come_back(
        self, box: Replies, serve: Callable[[], object], work: Callable[[], object]
    ) -> None:
        serve()
        work()
        assert await system.ping(ASKER) is True
        with pytest.raises(NotFound, match=r"^No such container: nosuch$"):
            await containers.stop(ASKER, "nosuch", timeout=3)
        assert all(await asyncio.gather(*(system.ping(ASKER) for _ in range(200))))
        # Whoever waits holds no thread: a few send, none waits.
        assert len(calls._threads._threads) <= 4

    async def test_another_nodes_worker_refuses(
        self, box: Replies, serve: Callable[[], object], work: Callable[[], object]
    ) -> None:
        """A message that went astray: an envelope names its node."""
        serve()
        work()
        astray = Asker(node="local")
        with pytest.raises(Conflict, match="this is node local, not elsewhere"):
            await _misdirected(astray)

    async def test_without_a_broker_a_caller_is_told_soon(self, box: Replies) -> None:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="broker"):
            await ping()
        assert time.monotonic() - began < 30

    async def test_without_a_worker_a_caller_is_told_in_the_end(
        self, box: Replies, serve: Callable[[], object]
    ) -> None:
        serve()
        with pytest.raises(Unavailable, match=r"no answer to system.ping within 0.2 seconds"):
            await ping(0.2)

    async def test_without_a_worker_not_even_the_patient_wait_for_ever(
        self, box: Replies, serve: Callable[[], object], work: Callable[[], object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And what nobody waits for any more is not done by a worker that comes back."""
        monkeypatch.setitem(calls.UNTAKEN_SECONDS, "lifecycle", 0.3)
        serve()
        with pytest.raises(Unavailable, match=r"no worker took system.ping within 0.3 seconds"):
            await ping(None)
        with broker.client() as client:
            (message,) = client.lrange(QUEUE, 0, -1)
            outcome = app.app.backend.get_key_for_task(orphans._call_of(orjson.loads(message)))
            work()
            await eventually(lambda: client.exists(outcome))
            assert orjson.loads(client.get(outcome) or b"{}")["status"] == "REVOKED"

    async def test_what_a_worker_has_taken_is_waited_for(
        self, box: Replies, serve: Callable[[], object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(calls.UNTAKEN_SECONDS, "lifecycle", 0.3)
        serve()
        waiting = asyncio.create_task(ping(None))
        with broker.client() as client:
            await eventually(lambda: client.rpop(QUEUE))
        done, _ = await asyncio.wait({waiting}, timeout=1)
        assert not done
        waiting.cancel()

    async def test_what_a_killed_worker_had_taken_is_answered_by_the_next(
        self, box: Replies, serve: Callable[[], object], work: Callable[[], subprocess.Popen[bytes]]
    ) -> None:
        serve()
        first = work()
        assert await ping() is True
        with broker.client() as client:
            # A worker confirms a message after it has answered the call.
            await eventually(lambda: not client.hlen(orphans.UNCONFIRMED))
            for child in Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGSTOP)
            waiting = asyncio.create_task(ping())
            await eventually(lambda: client.hlen(orphans.UNCONFIRMED))
            kill(first)
            work()
            with pytest.raises(Unavailable, match="the worker died"):
                await waiting
            assert not client.exists(orphans.UNCONFIRMED, orphans.INDEX)
        assert await ping() is True

    async def test_what_was_on_its_way_to_a_killed_worker_is_lost_and_its_caller_told(
        self, box: Replies, serve: Callable[[], object], work: Callable[[], object]
    ) -> None:
        """A worker takes a message off its queue before it writes down that it has."""
        serve()
        with broker.client() as client:
            lost = asyncio.create_task(ping())
            await eventually(lambda: client.llen(QUEUE))
            await eventually(lambda: all(call.sent for call in box._open.values()))
            client.rpop(QUEUE)
            kept = asyncio.create_task(ping())
            await eventually(lambda: client.llen(QUEUE))
            work()
            with pytest.raises(Unavailable, match="the worker died"):
                await lost
            assert await kept is True

    async def test_a_broker_that_dies_fails_open_calls_and_a_new_one_serves(
        self, box: Replies, serve: Callable[[], subprocess.Popen[bytes]], work: Callable[[], object]
    ) -> None:
        first = serve()
        waiting = asyncio.create_task(ping())
        await eventually(lambda: any(call.sent for call in box._open.values()))
        kill(first)
        with pytest.raises(Unavailable):
            await waiting
        serve()
        work()
        await eventually(lambda: box._subscribed.is_set())
        assert await ping() is True

    async def test_two_nodes_share_a_broker(self, box: Replies, serve: Callable[[], object], spawn: Spawn) -> None:
        """Each does its own operations; what the other leaves undone, and what it begins anew, is not its business."""
        serve()
        waiting = asyncio.create_task(system.ping(Asker(node="elsewhere")))
        await eventually(lambda: any(call.sent for call in box._open.values()))
        command = [word.replace("local.", "elsewhere.") for word in WORKER]
        spawn(sys.executable, "-W", "ignore", "-m", *WORKER, *QUIET, "--hostname=ours")
        assert await system.ping(ASKER) is True
        assert not waiting.done(), "a worker has taken another node's operation"
        spawn(sys.executable, "-W", "ignore", "-m", *command, *QUIET, "--hostname=theirs", node="elsewhere")
        assert await waiting is True

    async def test_a_caller_that_leaves_leaves_nothing(self, box: Replies, serve: Callable[[], object]) -> None:
        serve()
        waiting = [asyncio.create_task(ping()) for _ in range(50)]
        await eventually(lambda: len(box._open) == 50)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert box._open == {}


async def _misdirected(asker: Asker) -> Any:
    """A call into this node's queue with an envelope for another node."""
    original = Envelope.of
    envelope = original(asker)._replace(node="elsewhere")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Envelope, "of", lambda _caller: envelope)
        return await system.ping(asker)
