"""What the page's WebSocket says, each message with a literal tag. ``frontend/web/src/lib/protocol.ts`` mirrors it.

Text frames are JSON. A binary frame belongs to a terminal: its channel as four bytes, big-endian, then bytes as they
are. A channel is a number that the page chooses; it stands for one topic from ``open`` to ``close`` or ``closed``.
"""

from __future__ import annotations

import struct
from typing import Any, Literal, TypedDict

import orjson

from controlpanel.panel.listing import ContainerRow
from engine.errors import InvalidArgument

# Unix time in milliseconds, CPU in percent of one core, memory and its limit in bytes, then per second: network in and
# out, disk read and written, all in bytes; last, the number of processes.
Point = tuple[int, float, int, int, int, int, int, int, int]
# Time as in the log, "o" for stdout or "e" for stderr, the text without its line end.
Line = tuple[str, Literal["o", "e"], str]

CHANNEL = struct.Struct(">I")


class Welcome(TypedDict):
    """First on every connection: a page of another version knows that it is stale."""

    type: Literal["welcome"]
    version: str
    node: str
    user: str
    is_admin: bool


class Opened(TypedDict):
    type: Literal["opened"]
    channel: int


class Closed(TypedDict):
    """The channel is over. ``message`` tells why when that was not the page's wish; ``exit_code`` is a terminal's."""

    type: Literal["closed"]
    channel: int
    message: str
    exit_code: int | None


class ContainersAll(TypedDict):
    """The whole list; replaces what the page has. ``history`` holds the last points of each running container."""

    type: Literal["containers.all"]
    channel: int
    containers: list[ContainerRow]
    history: dict[str, list[Point]]


class ContainersChanged(TypedDict):
    type: Literal["containers.changed"]
    channel: int
    containers: list[ContainerRow]
    removed: list[str]


class ContainersUsage(TypedDict):
    """The newest point of every running container."""

    type: Literal["containers.usage"]
    channel: int
    usage: dict[str, Point]


class ImagesChanged(TypedDict):
    """Some image was loaded, tagged or removed: fetch the list again."""

    type: Literal["images.changed"]
    channel: int


class LogLines(TypedDict):
    type: Literal["logs.lines"]
    channel: int
    lines: list[Line]


class LogOlder(TypedDict):
    """Before the first lines: the log has older ones, which the tail leaves out."""

    type: Literal["logs.older"]
    channel: int


class LogEnded(TypedDict):
    """The container has stopped and its log is complete. It may go on when the container starts again."""

    type: Literal["logs.ended"]
    channel: int


class StatsHistory(TypedDict):
    type: Literal["stats.history"]
    channel: int
    points: list[Point]


class StatsPoint(TypedDict):
    type: Literal["stats.point"]
    channel: int
    point: Point


Outgoing = (
    Welcome
    | Opened
    | Closed
    | ContainersAll
    | ContainersChanged
    | ContainersUsage
    | ImagesChanged
    | LogLines
    | LogOlder
    | LogEnded
    | StatsHistory
    | StatsPoint
)


class Incoming:
    """One message of the page, read with checks: whatever has the wrong shape is InvalidArgument."""

    def __init__(self, text: str) -> None:
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise InvalidArgument("the message is not JSON") from error
        if not isinstance(value, dict):
            raise InvalidArgument("the message is not an object")
        self._value: dict[str, Any] = value

    def text(self, name: str, default: str | None = None, limit: int = 4096) -> str:
        value = self._value.get(name, default)
        if not isinstance(value, str) or len(value) > limit or "\0" in value:
            raise InvalidArgument(f"{name}: want a text of at most {limit} characters")
        return value

    def number(self, name: str, default: int | None = None, low: int = 0, high: int = 2**31) -> int:
        value = self._value.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise InvalidArgument(f"{name}: want a number from {low} to {high}")
        return value

    def texts(self, name: str, limit: int = 64) -> list[str]:
        value = self._value.get(name)
        if not isinstance(value, list) or not 0 < len(value) <= limit or not all(isinstance(v, str) for v in value):
            raise InvalidArgument(f"{name}: want a list of 1 to {limit} texts")
        return value


def encode(message: Outgoing) -> str:
    return orjson.dumps(message).decode()


def split(data: bytes) -> tuple[int, bytes]:
    """Channel and content of a binary frame."""
    if len(data) < CHANNEL.size:
        raise InvalidArgument("the frame has no channel")
    return CHANNEL.unpack_from(data)[0], data[CHANNEL.size :]
