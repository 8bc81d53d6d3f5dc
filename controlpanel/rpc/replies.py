"""The answers to the calls of one event loop: one subscription to all results completes the futures of the callers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from redis.exceptions import RedisError

from controlpanel import broker
from controlpanel.rpc.app import app
from engine.errors import Unavailable

CONNECT_SECONDS = 10.0
REFUSED_SECONDS = 2.0
RETRY_SECONDS = 0.2
POLL_SECONDS = 15.0
# Followed by a queue's name where an answer has a call id: a new worker serves the queue.
TAKEN_OVER = "taken-over:"

logger = logging.getLogger(__name__)


@dataclass
class Call:
    """``sent`` is the time since 1970 at which the broker had the message; 0 before that."""

    answer: asyncio.Future[Any]
    queue: str
    sent: float = 0.0

    def fail(self, reason: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(Unavailable(reason))


class Replies:
    """Calls by id. The subscription begins with the first call.

    When it breaks, every open call fails with Unavailable: its answer may have been lost on the way, and a caller who
    is told so can look at the object and ask again.
    """

    def __init__(self) -> None:
        self._open: dict[str, Call] = {}
        self._task: asyncio.Task[None] | None = None
        self._subscribed = asyncio.Event()
        self._refused = False

    async def ready(self) -> None:
        """Wait until answers can arrive: one that comes before the subscription would be lost. Raises Unavailable."""
        if self._subscribed.is_set():
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        # A broker that refuses is most likely down, or starting; one that says nothing yet is on a busy machine.
        if await self._is_subscribed(REFUSED_SECONDS):
            return
        if self._refused or not await self._is_subscribed(CONNECT_SECONDS - REFUSED_SECONDS):
            raise Unavailable("the broker does not answer")

    def expect(self, call_id: str, queue: str) -> asyncio.Future[Any]:
        """A future that the answer will complete."""
        call = self._open[call_id] = Call(asyncio.get_running_loop().create_future(), queue)
        return call.answer

    def sent(self, call_id: str) -> None:
        """The broker has the call's message."""
        if call := self._open.get(call_id):
            call.sent = time.time()

    def forget(self, call_id: str) -> None:
        if call := self._open.pop(call_id, None):
            call.answer.cancel()

    async def close(self) -> None:
        """End the subscription; open calls fail."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _is_subscribed(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._subscribed.wait()
        return self._subscribed.is_set()

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                self._refused = True
                # Once per loss: this tries again several times a second.
                logger.log(logging.WARNING if self._subscribed.is_set() else logging.DEBUG, "no broker: %s", error)
            finally:
                self._subscribed.clear()
                self._fail_open()
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        prefix: bytes = app.backend.task_keyprefix
        async with broker.async_client() as client, client.pubsub() as subscription:
            await subscription.psubscribe(prefix + b"*")
            while True:
                # The ping notices a broker that hangs without closing; a read that times out only looks again.
                message = await subscription.get_message(timeout=POLL_SECONDS)
                if message is None:
                    await subscription.ping()
                elif message["type"] == "psubscribe":
                    self._refused = False
                    self._subscribed.set()
                elif message["type"] == "pmessage":
                    self._receive(message["channel"].removeprefix(prefix).decode(), message["data"])

    def _receive(self, name: str, data: bytes) -> None:
        if name.startswith(TAKEN_OVER):
            self._fail_lost(name.removeprefix(TAKEN_OVER), **orjson.loads(data))
        elif (call := self._open.get(name)) and not call.answer.done():
            call.answer.set_result(orjson.loads(data).get("result"))

    def _fail_open(self) -> None:
        for call in self._open.values():
            call.fail("the broker went away during the operation")

    def _fail_lost(self, queue: str, at: float, alive: list[str]) -> None:
        """A new worker found ``alive`` at the time ``at``: what was sent before and is missing is lost.

        Nothing keeps a message that is on its way from the broker to a worker.
        """
        known = set(alive)
        for call_id, call in self._open.items():
            if call.queue == queue and 0 < call.sent < at and call_id not in known:
                call.fail("the worker died during the operation")


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Replies] = WeakKeyDictionary()


def of_this_loop() -> Replies:
    """The running event loop's replies."""
    loop = asyncio.get_running_loop()
    found = _by_loop.get(loop)
    if found is None:
        found = _by_loop[loop] = Replies()
    return found
