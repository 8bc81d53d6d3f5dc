"""Calls an operation on this node's workers: ``await call(…)``, or ``call_sync(…)`` in a thread.

One thread per process holds one subscription to all results and completes futures; so a call costs one push and no
polling, whichever kind of code waits.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from celery import Celery
from celery.exceptions import CeleryError
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from controlpanel import broker
from controlpanel.rpc import outcomes, routes
from controlpanel.rpc.app import app, queue_name
from controlpanel.rpc.replies import Replies
from engine.errors import Unavailable

DEFAULT_SECONDS = 60.0

_replies = Replies()
# An application of its own without a result backend: Celery's would subscribe to each result once more, and wait for a
# broker that is away instead of saying so.
_caller = Celery("muelle-caller", broker=broker.celery_url(), fixups=[], set_as_current=False)
_caller.conf.broker_transport_options = app.conf.broker_transport_options
# Sending is a round trip to the broker: never on the event loop. Few threads, since each keeps a connection.
_senders = ThreadPoolExecutor(max_workers=4, thread_name_prefix="task-sender")


async def call(name: str, /, *, timeout: float | None = DEFAULT_SECONDS, **arguments: Any) -> Any:
    """Run ``name`` on a worker of this node and return its JSON value.

    ``timeout`` in seconds also bounds how long the message may wait for a worker; None waits without end. An
    operation's own argument of that name is written ``timeout_``. Raises the MuelleError that the operation raised;
    Unavailable when the broker or every worker is away.
    """
    call_id, future = _replies.expect()
    try:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(_senders, _send, name, call_id, timeout, arguments)
        async with asyncio.timeout(timeout):
            return outcomes.unwrap(await asyncio.wrap_future(future))
    except TimeoutError as error:
        raise _too_late(name, timeout) from error
    finally:
        _replies.forget(call_id)


def call_sync(name: str, /, *, timeout: float | None = DEFAULT_SECONDS, **arguments: Any) -> Any:
    """The same for code that runs in a thread."""
    call_id, future = _replies.expect()
    try:
        _send(name, call_id, timeout, arguments)
        return outcomes.unwrap(_result(future, timeout))
    except FutureTimeout as error:
        raise _too_late(name, timeout) from error
    finally:
        _replies.forget(call_id)


def _result(future: Future[Any], timeout: float | None) -> Any:
    return future.result(timeout)


def _send(name: str, call_id: str, timeout: float | None, arguments: dict[str, Any]) -> None:
    _replies.ready()
    queue = queue_name(routes.kind(name))
    try:
        _caller.send_task(
            name,
            kwargs={key.removesuffix("_"): value for key, value in arguments.items()},
            task_id=call_id,
            queue=queue,
            expires=timeout,
            retry=False,
        )
    except (KombuError, RedisError, CeleryError, OSError) as error:
        raise Unavailable(f"the broker does not answer: {error}") from error
    _replies.sent(call_id, queue)


def _too_late(name: str, timeout: float | None) -> Unavailable:
    return Unavailable(f"no answer to {name} within {timeout} seconds: are the workers running?")
