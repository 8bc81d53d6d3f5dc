"""The subscription of one process to the results of its calls."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, InvalidStateError
from typing import Any
from uuid import uuid4

import orjson
from redis.exceptions import RedisError

from controlpanel import broker
from controlpanel.celery import app
from engine.errors import Unavailable

CONNECT_SECONDS = 10.0
REFUSED_SECONDS = 2.0
RETRY_SECONDS = 0.2
POLL_SECONDS = 15.0

logger = logging.getLogger(__name__)


class Mailbox:
    """Futures by call id, completed by a thread that starts with the first call.

    When the subscription breaks, every open call fails with Unavailable: its answer may have been lost on the way, and
    a caller who is told so can look at the object and ask again.
    """

    def __init__(self) -> None:
        self._open: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._subscribed = threading.Event()
        self._refused = False

    def expect(self) -> tuple[str, Future[Any]]:
        """A new call id and the future that its answer will complete."""
        call_id, future = str(uuid4()), Future[Any]()
        with self._lock:
            self._open[call_id] = future
        return call_id, future

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
                    self._complete(message["channel"].removeprefix(prefix).decode(), message["data"])

    def _complete(self, call_id: str, data: bytes) -> None:
        with self._lock:
            future = self._open.get(call_id)
        if future is None:
            return
        try:
            future.set_result(orjson.loads(data).get("result"))
        except InvalidStateError:
            logger.debug("call %s was given up before its answer came", call_id)

    def _fail_open(self) -> None:
        with self._lock:
            futures = list(self._open.values())
        for future in futures:
            if not future.done():
                future.set_exception(Unavailable("the broker went away during the operation"))


def _key_prefix() -> bytes:
    prefix: bytes = app.backend.task_keyprefix
    return prefix
