"""What a killed worker had taken from the broker: its callers are told, before the next worker takes anything.

Celery would keep these messages for the visibility timeout, a day, and then hand them out to nobody's benefit. One
worker serves each queue of a node, so at its start whatever is unconfirmed in its queues was its predecessor's. What
was still on its way to that one is nowhere: all who wait are told what there is, and take the rest for lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import orjson
from celery import signals
from django.conf import settings
from django.db import connections
from redis.exceptions import RedisError

from controlpanel import broker
from controlpanel.objects import claims, outage, states
from controlpanel.objects.models import Container, Waiter
from controlpanel.rpc import outcomes, replies
from controlpanel.rpc.app import app
from engine.errors import Unavailable

if TYPE_CHECKING:
    from redis import Redis

# Kombu's names: tag to [message, exchange, queue], and the same tags by the time they were taken.
UNCONFIRMED, INDEX = "unacked", "unacked_index"
ANSWER = Unavailable("the worker died during the operation")

logger = logging.getLogger(__name__)


@signals.celeryd_after_setup.connect(weak=False)  # type: ignore[untyped-decorator]
def _at_start(instance: Any, **_: object) -> None:
    try:
        answer(instance.app.amqp.queues.consume_from)
    except (RedisError, OSError) as error:
        logger.warning("no look at what the last worker left: %s", error)


def answer(queues: Iterable[str]) -> None:
    """Forget what is unconfirmed in these queues and answer the calls, but those that the monitor will answer."""
    with broker.client() as client:
        for queue in queues:
            at = time.time()
            kept = _the_monitors()
            _forget(client, queue, kept or frozenset())
            waiting = [_call_of(orjson.loads(message)) for message in client.lrange(queue, 0, -1)]
            if kept is not None:
                _announce(client, queue, at, [*kept, *waiting])
    connections.close_all()  # the pool's processes are forks


def _forget(client: Redis, queue: str, kept: frozenset[str]) -> None:
    for tag, call_id in list(_unconfirmed(client, queue)):
        with client.pipeline() as pipeline:
            pipeline.zrem(INDEX, tag)
            pipeline.hdel(UNCONFIRMED, tag)
            pipeline.execute()
        if call_id not in kept:
            outcomes.deliver(call_id, outcomes.of_error(ANSWER))


def _unconfirmed(client: Redis, queue: str) -> Iterator[tuple[bytes, str]]:
    for tag, value in client.hscan_iter(UNCONFIRMED):
        message, _, its_queue = orjson.loads(value)
        if its_queue == queue:
            yield tag, _call_of(message)


def _call_of(message: dict[str, Any]) -> str:
    call_id: str = message["headers"]["id"]
    return call_id


def _announce(client: Redis, queue: str, at: float, alive: list[str]) -> None:
    """Tell every replies which calls of before ``at`` there still are; see ``Replies``."""
    channel = app.backend.task_keyprefix + f"{replies.TAKEN_OVER}{queue}".encode()
    client.publish(channel, orjson.dumps({"at": at, "alive": alive}))


def _the_monitors() -> frozenset[str] | None:
    """The calls that wait for a container's end, and starts and removals left unfinished (see ``claims``).

    None while the database is away and nobody knows.
    """
    try:
        waiting = Waiter.objects.filter(container__node_id=settings.MUELLE_NODE)
        left = Container.objects.filter(node_id=settings.MUELLE_NODE, status__in=states.TRANSIENT)
        claims_left = left.values_list("claim", flat=True)
        return frozenset([*waiting.values_list("call_id", flat=True), *map(claims.call_of, claims_left)])
    except outage.ERRORS:
        return None
