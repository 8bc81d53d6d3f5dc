"""The subscription of one process to the results of its calls."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

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

    future: Future[Any] = field(default_factory=Future)
    queue: str = ""
    sent: float = 0.0

    def fail(self, reason: str) -> None:
        if not self.future.done():
            self.future.set_exception(Unavailable(reason))


class Replies:
    """Futures by call id, completed by a thread that starts with the first call.

    When the subscription breaks, every open call fails with Unavailable: its answer may have been lost on the way, and
    a caller who is told so can look at the object and ask again.
    """

    def __init__(self) -> None:
        self._open: dict[str, Call] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._subscribed = threading.Event()
        self._refused = False

    def expect(self) -> tuple[str, Future[Any]]:
        """A new call id and the future that its answer will complete."""
        call_id, call = str(uuid4()), Call()
        with self._lock:
            self._open[call_id] = call
        return call_id, call.future

    def sent(self, call_id: str, queue: str) -> None:
        """The broker has the call's message."""
        with self._lock:
            if call := self._open.get(call_id):
                call.queue, call.sent = queue, time.time()

    def forget(self, call_id: str) -> None:
        with self._lock:
            self._open.pop(call_id, None)

    def ready(self) -> None:
        """Wait until answers can arrive: one that comes before the subscription would be lost. Raises Unavailable."""
        if self._subscribed.is_set():
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="task-results", daemon=True)
                self._thread.start()
        # A broker that refuses is most likely down, or starting; one that says nothing yet is on a busy machine.
        if self._subscribed.wait(REFUSED_SECONDS):
            return
        if self._refused or not self._subscribed.wait(CONNECT_SECONDS - REFUSED_SECONDS):
            raise Unavailable("the broker does not answer")

    def _run(self) -> None:
        while True:
            try:
                self._listen()
            except (RedisError, OSError) as error:
                self._refused = True
                # Once per loss: the thread tries again several times a second.
                logger.log(logging.WARNING if self._subscribed.is_set() else logging.DEBUG, "no broker: %s", error)
            self._subscribed.clear()
            self._fail_open()
            time.sleep(RETRY_SECONDS)

    def _listen(self) -> None:
        prefix = _key_prefix()
        # The health check notices a broker that hangs without closing; a read that times out only looks again.
        with broker.client() as client, client.pubsub() as subscription:
            subscription.psubscribe(prefix + b"*")
            while True:
                message = subscription.get_message(timeout=POLL_SECONDS)
                if message is None:
                    subscription.ping()
                elif message["type"] == "psubscribe":
                    self._refused = False
                    self._subscribed.set()
                elif message["type"] == "pmessage":
                    self._receive(message["channel"].removeprefix(prefix).decode(), message["data"])

    def _receive(self, name: str, data: bytes) -> None:
        if name.startswith(TAKEN_OVER):
            self._fail_lost(name.removeprefix(TAKEN_OVER), **orjson.loads(data))
        else:
            self._complete(name, data)

    def _complete(self, call_id: str, data: bytes) -> None:
        with self._lock:
            call = self._open.get(call_id)
        if call is None:
            return
        try:
            call.future.set_result(orjson.loads(data).get("result"))
        except InvalidStateError:
            logger.debug("call %s was given up before its answer came", call_id)

    def _fail_open(self) -> None:
        with self._lock:
            calls = list(self._open.values())
        for call in calls:
            call.fail("the broker went away during the operation")

    def _fail_lost(self, queue: str, at: float, alive: list[str]) -> None:
        """A new worker found ``alive`` at the time ``at``: what was sent before and is missing is lost.

        Nothing keeps a message that is on its way from the broker to a worker.
        """
        with self._lock:
            sent = {call_id: call for call_id, call in self._open.items() if call.queue == queue and 0 < call.sent < at}
        for call_id in sent.keys() - set(alive):
            sent[call_id].fail("the worker died during the operation")


def _key_prefix() -> bytes:
    prefix: bytes = app.backend.task_keyprefix
    return prefix
