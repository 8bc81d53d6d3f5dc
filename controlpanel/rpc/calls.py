"""Sends an operation to a node's workers and awaits its answer: one push to the broker, and no thread that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from celery import Celery
from celery.exceptions import CeleryError
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from controlpanel import broker
from controlpanel.rpc import outcomes, replies
from controlpanel.rpc.app import app, broker_url, queue_name
from controlpanel.rpc.envelope import Caller, Envelope
from engine.errors import Unavailable

# A message's own bound, by its queue: a stop may take for ever, but must not be done when a worker comes back in an
# hour and nobody wants it any more. Elsewhere it may wait for long work before it, as long as its caller does.
UNTAKEN_SECONDS = {"lifecycle": 60.0}

# An application of its own without a result backend: Celery's would subscribe to each result once more, and wait for a
# broker that is away instead of saying so.
_sender = Celery("muelle-caller", broker=broker_url(), fixups=[], set_as_current=False)
_sender.conf.broker_transport_options = app.conf.broker_transport_options
# Kombu's sending is a blocking round trip to the broker: never on the event loop. Few threads, since each keeps a
# connection, and none of them waits for an answer.
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="call-sender")


async def call(caller: Caller, name: str, queue: str, arguments: Mapping[str, Any], timeout: float | None) -> Any:
    """The operation's JSON value. ``timeout`` seconds also bound how long the message may wait for a worker.

    Raises the MuelleError that the operation raised; Unavailable when the broker or every worker is away.
    """
    call_id, box = str(uuid4()), replies.of_this_loop()
    expiry = min((each for each in (timeout, UNTAKEN_SECONDS.get(queue)) if each is not None), default=None)
    queue = queue_name(queue, caller.node)
    try:
        async with asyncio.timeout(timeout):
            await box.ready()
            answer = box.expect(call_id, queue)
            await asyncio.get_running_loop().run_in_executor(
                _threads, _send, name, queue, call_id, expiry, Envelope.of(caller), dict(arguments)
            )
            box.sent(call_id)
            done, _ = await asyncio.wait({answer}, timeout=expiry)
            if not done and await asyncio.get_running_loop().run_in_executor(_threads, _is_untaken, queue, call_id):
                raise Unavailable(f"no worker took {name} within {expiry} seconds: are the workers running?")
            return outcomes.unwrap(await answer)
    except TimeoutError as error:
        raise Unavailable(f"no answer to {name} within {timeout} seconds: are the workers running?") from error
    finally:
        box.forget(call_id)


def _is_untaken(queue: str, call_id: str) -> bool:
    """Whether a message still waits in its queue; false when the broker does not say: the replies notice that."""
    try:
        with broker.client() as client:
            return any(call_id.encode() in message for message in client.lrange(queue, 0, -1))
    except (RedisError, OSError):
        return False


def _send(
    name: str, queue: str, call_id: str, expiry: float | None, envelope: Envelope, arguments: dict[str, Any]
) -> None:
    content = {"envelope": list(envelope), "arguments": arguments}
    try:
        _sender.send_task(name, kwargs=content, task_id=call_id, queue=queue, expires=expiry, retry=False)
    except (KombuError, RedisError, CeleryError, OSError) as error:
        raise Unavailable(f"the broker does not answer: {error}") from error
