"""The page's one WebSocket: every topic the page follows is a channel of it.

The user is checked before the connection is accepted and again while it lives, at most REFRESH old: signing out,
disabling a user or taking rights away ends what the user sees, terminals included.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from controlpanel.access.policy import Principal
from controlpanel.access.scope import Scope
from controlpanel.access.sockets import ScopeIdentity, require_same_origin
from controlpanel.objects import outage
from controlpanel.panel import about
from controlpanel.panel.messages import CHANNEL, Incoming, Outgoing, encode, split
from controlpanel.panel.topics.containers import ContainersTopic
from controlpanel.panel.topics.logs import LogsTopic
from controlpanel.panel.topics.stats import StatsTopic
from controlpanel.panel.topics.terminal import TerminalTopic
from controlpanel.panel.topics.topic import Topic
from controlpanel.rest.consumers import Consumer
from engine.errors import Conflict, Forbidden, InvalidArgument, MuelleError, NotFound, Unauthorized

TOPICS: dict[str, type[Topic]] = {
    "containers": ContainersTopic,
    "logs": LogsTopic,
    "stats": StatsTopic,
    "terminal": TerminalTopic,
}
MAX_CHANNELS = 16
REFRESH = 5.0
# 4000 to 4999 are the application's, RFC 6455 section 7.4.2.
CLOSE_SIGNED_OUT = 4401
CLOSE_PROTOCOL = 4400

logger = logging.getLogger(__name__)


class PanelConsumer(Consumer):
    """One page. Each open channel is a task; ``receive`` only dispatches and never waits for a topic.

    ``_running`` are the tasks of open channels and of those that are still ending, and the guard.
    """

    def __init__(self) -> None:
        super().__init__()
        self._topics: dict[int, Topic] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._principal: Principal | None = None
        self._read_at = 0.0

    async def connect(self) -> None:
        self._identity = ScopeIdentity(self.scope)
        try:
            require_same_origin(self.scope)
            principal = (await self.require("containers.view")).principal
        except (MuelleError, *outage.ERRORS):  # a page dials again until it is let in
            await self.close()
            return
        await self.accept()
        self._begin(self._watch())
        await self._send(
            {"type": "welcome", "user": principal.name, "is_admin": principal.is_admin, **about.identity()}
        )

    async def clean_up(self) -> None:
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            if bytes_data is not None:
                channel, data = split(bytes_data)
                self._topic(channel).receive(data)
            elif text_data is not None:
                await self._dispatch(Incoming(text_data))
        except NotFound:
            # The channel was closed here while this message was on its way.
            return
        except MuelleError as error:
            logger.info("closing a page: %s", error)
            await self.close(CLOSE_PROTOCOL)

    async def _dispatch(self, message: Incoming) -> None:
        channel = message.number("channel")
        match message.text("type", limit=16):
            case "open":
                self._open(channel, message)
            case "close":
                self._close(channel)
            case "confirm":
                self._topic(channel).window.confirm(message.number("bytes"))
            case "resize":
                rows, columns = message.number("rows", low=1, high=1000), message.number("columns", low=1, high=1000)
                self._topic(channel).resize(rows, columns)
            case kind:
                raise InvalidArgument(f"unknown message {kind!r}")

    def _topic(self, channel: int) -> Topic:
        if channel not in self._topics:
            raise NotFound(f"channel {channel} is not open")
        return self._topics[channel]

    def _open(self, channel: int, message: Incoming) -> None:
        name = message.text("topic", limit=16)
        if name not in TOPICS:
            raise InvalidArgument(f"unknown topic {name!r}")
        if channel in self._topics:
            raise Conflict(f"channel {channel} is open")
        if len(self._topics) >= MAX_CHANNELS:
            raise Forbidden(f"more than {MAX_CHANNELS} channels")
        topic = self._topics[channel] = TOPICS[name](self, channel, message)
        self._tasks[channel] = self._begin(self._run(topic))

    async def _run(self, topic: Topic) -> None:
        reason = ""
        try:
            await self.require(topic.action)
            await self._send({"type": "opened", "channel": topic.channel})
            await topic.run()
        except* MuelleError as group:
            reason = _first(group)
        except* outage.ERRORS:
            reason = outage.MESSAGE
        except* Exception as group:
            logger.error("a channel of the page failed", exc_info=group)
            reason = "internal error: see the web process's log"
        if self._topics.get(topic.channel) is topic:
            del self._topics[topic.channel], self._tasks[topic.channel]
            await self._tell_closed(topic, reason)

    def _close(self, channel: int) -> None:
        """End a channel, which may take a moment; its number is free at once."""
        self._topics.pop(channel, None)
        task = self._tasks.pop(channel, None)
        if task is not None:
            task.cancel()

    async def _tell_closed(self, topic: Topic, reason: str) -> None:
        await self._send({"type": "closed", "channel": topic.channel, "message": reason, "exit_code": topic.exit_code})

    async def _watch(self) -> None:
        """End the connection when its user may no longer look, whether or not anything is being sent."""
        while True:
            await asyncio.sleep(REFRESH)
            try:
                await self.require("containers.view")
                for topic in list(self._topics.values()):
                    await self._judge(topic)
            except (Unauthorized, Forbidden):
                await self.close(CLOSE_SIGNED_OUT)
                return

    async def _judge(self, topic: Topic) -> None:
        """End a channel whose user may still look, but not at this any more."""
        try:
            await self.require(topic.action)
        except Forbidden as error:
            self._close(topic.channel)
            await self._tell_closed(topic, str(error))

    async def require(self, action: str) -> Scope:
        if self._principal is None or time.monotonic() - self._read_at > REFRESH:
            await self._read_principal()
        scope = Scope.of(self._principal)
        scope.require(action)
        return scope

    def sees(self, project: str) -> bool:
        return self._principal is not None and Scope.of(self._principal).sees(project)

    async def _read_principal(self) -> None:
        """While the database is away nobody can take a right away, and what does not need it goes on."""
        try:
            self._principal = await self._identity.read()
        except outage.ERRORS:
            if self._principal is None:
                raise
        self._read_at = time.monotonic()

    async def send_message(self, channel: int, message: Any) -> None:
        text = encode(message)
        await self._topic(channel).window.take(len(text))
        await self.send(text_data=text)

    async def send_bytes(self, channel: int, data: bytes) -> None:
        await self._topic(channel).window.take(len(data))
        await self.send(bytes_data=CHANNEL.pack(channel) + data)

    async def _send(self, message: Outgoing) -> None:
        await self.send(text_data=encode(message))


def _first(group: BaseExceptionGroup[Any]) -> str:
    """The message of the first error in a group of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
