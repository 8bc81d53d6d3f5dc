"""What requests to a shim must look like, checked before anything is done: a wrong type later would end the container.

Peers are members of the engine's group, and may be wrong all the same.
"""

from __future__ import annotations

import base64
import os
import socket
import stat
from collections.abc import Callable
from typing import Any

from engine.containers import wire
from engine.errors import InvalidArgument

Check = Callable[[Any], bool]

_HEXADECIMAL = frozenset("0123456789abcdef")
_LARGEST_SIZE = 0xFFFF  # of a terminal, struct winsize


def _text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _words(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _command(value: Any) -> bool:
    return _words(value) and bool(value)


def _number(value: Any, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest


def _length(value: Any) -> bool:
    return _number(value, _LARGEST_SIZE)


def _size(value: Any) -> bool:
    return value is None or (isinstance(value, list) and len(value) == 2 and all(map(_length, value)))


def _octets(value: Any) -> bool:
    return isinstance(value, list) and all(_number(each, 0xFF) for each in value)


def _session(value: Any) -> bool:
    return value is None or _text(value)


def _container(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= _HEXADECIMAL


def _encoded(value: Any) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)


STREAMS: dict[str, Check] = {"stdin": _flag, "stdout": _flag, "stderr": _flag, "framed": _flag, "detach_keys": _octets}
EARLY_ATTACHMENT: dict[str, Check] = {"container": _container, **STREAMS}
SESSION: dict[str, Check] = {"id": _text}
EXEC: dict[str, Check] = {
    **SESSION, **STREAMS, "args": _command, "env": _words, "cwd": _text, "user": _text, "tty": _flag,
    "privileged": _flag, "console_size": _size,
}  # fmt: skip
RESIZE: dict[str, Check] = {"exec": _session, "height": _length, "width": _length}


def require(message: wire.Message, shape: dict[str, Check]) -> None:
    """Raises InvalidArgument that names the first field which is missing or wrong."""
    for field, check in shape.items():
        if field not in message or not check(message[field]):
            raise InvalidArgument(f"malformed request: {field}")
    if not _encoded(message.get("surplus", "")):
        raise InvalidArgument("malformed request: surplus")


def require_stream(fd: int) -> None:
    """A client's connection is a stream socket."""
    if stat.S_ISSOCK(os.fstat(fd).st_mode):
        with socket.socket(fileno=os.dup(fd)) as sock:
            if sock.type == socket.SOCK_STREAM:
                return
    raise InvalidArgument("the descriptor is not a client's connection")
