"""Docker's event stream: an append to the broker's stream ``muelle:<node>:events``, which is capped.

An event tells of a change that the database already holds, so a broker that is away delays events and fails nothing:
they wait here, in order and bounded, and go out with the next ones.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from django.conf import settings
from redis.exceptions import RedisError

from controlpanel import broker
from engine.rfc3339 import NANO

if TYPE_CHECKING:
    from redis import Redis

    from controlpanel.objects.models import Container

MAX_STREAM = 4096
MAX_BACKLOG = 1024
FIELD, OWNER = "event", "project"

logger = logging.getLogger(__name__)


class Event(NamedTuple):
    """One Docker event before it is sent. ``attributes`` are texts; ``nanoseconds`` since 1970.

    ``project`` owns the object, which may be gone when somebody asks; empty for what belongs to none.
    """

    kind: str
    action: str
    actor_id: str
    attributes: dict[str, str]
    nanoseconds: int
    project: str = ""

    def to_json(self) -> dict[str, Any]:
        """Docker's object; ``status``, ``id`` and ``from`` are the old form of container and image events."""
        event: dict[str, Any] = {
            "Type": self.kind,
            "Action": self.action,
            "Actor": {"ID": self.actor_id, "Attributes": self.attributes},
            "scope": "local",
            "time": self.nanoseconds // NANO,
            "timeNano": self.nanoseconds,
        }
        if self.kind in {"container", "image"}:
            event = {"status": self.action, "id": self.actor_id, **event}
            if self.kind == "container" and "image" in self.attributes:
                event["from"] = self.attributes["image"]
        return event


def stream_key(node: str | None = None) -> str:
    """The stream's key; each entry has the JSON object in FIELD and the slug of its project in OWNER."""
    return f"muelle:{node or settings.MUELLE_NODE}:events"


def event(kind: str, action: str, actor_id: str, attributes: dict[str, Any] | None = None, project: str = "") -> Event:
    """An event of this moment; values are turned into text as Docker has them."""
    texts = {name: str(value) for name, value in (attributes or {}).items()}
    return Event(kind, action, actor_id, texts, time.time_ns(), project)


def of_container(container: Container, action: str, **attributes: Any) -> Event:
    """A container event: labels, image and name go with every one."""
    labels = container.config["Labels"]
    named = {**labels, "image": container.image_name, "name": container.name, **attributes}
    return event("container", action, container.id, named, container.project_id)


def publish_all(events: list[Event]) -> None:
    """Append events in their order, in one round trip. Never raises because of the broker."""
    _publisher.send(events)


def flush() -> bool:
    """Try to deliver what waits; True when nothing is left waiting."""
    return _publisher.send([])


class Publisher:
    """The backlog and connection of one process; threads may share it."""

    def __init__(self) -> None:
        self._backlog: deque[Event] = deque(maxlen=MAX_BACKLOG)
        self._lock = threading.Lock()
        self._client: Redis | None = None

    def send(self, events: list[Event]) -> bool:
        with self._lock:
            self._backlog.extend(events)
            if not self._backlog:
                return True
            try:
                self._append(list(self._backlog))
            except (RedisError, OSError) as error:
                logger.warning("%d events wait for the broker: %s", len(self._backlog), error)
                return False
            self._backlog.clear()
            return True

    def _append(self, events: list[Event]) -> None:
        self._client = self._client or broker.client()
        key = stream_key()
        with self._client.pipeline(transaction=False) as pipeline:
            for each in events:
                pipeline.xadd(
                    key, {FIELD: orjson.dumps(each.to_json()), OWNER: each.project}, maxlen=MAX_STREAM, approximate=True
                )
            pipeline.execute()


_publisher = Publisher()
