"""What a killed worker had taken from the broker: its callers are told, before the next worker takes anything.

Celery would keep these messages for the visibility timeout, a day, and then hand them out to nobody's benefit. One
worker serves each queue of a node, so at its start whatever is unconfirmed in its queues was its predecessor's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import orjson
from celery import signals
from django.db import connections
from redis.exceptions import RedisError

from controlpanel import broker
from controlpanel.objects import outage, states
from controlpanel.objects.models import Container
from controlpanel.tasks import answers
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
        for tag, call_id in list(_calls(client, set(queues))):
            with client.pipeline() as pipeline:
                pipeline.zrem(INDEX, tag).hdel(UNCONFIRMED, tag).execute()
            if not _is_the_monitors(call_id):
                answers.deliver(call_id, answers.of_error(ANSWER))
    connections.close_all()  # the pool's processes are forks


def _calls(client: Redis, queues: set[str]) -> Iterator[tuple[bytes, str]]:
    for tag, value in client.hscan_iter(UNCONFIRMED):
        message, _, queue = orjson.loads(value)
        if queue in queues:
            yield tag, message["headers"]["id"]


def _is_the_monitors(call_id: str) -> bool:
    """A start or a removal that was left unfinished; see ``movers``."""
    rows = Container.objects.filter(status__in=states.TRANSIENT, mover__endswith=f":{call_id}")
    try:
        return rows.exists()
    except outage.ERRORS:
        return False
