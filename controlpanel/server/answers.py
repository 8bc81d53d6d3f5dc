"""The head of an answer, RFC 9112 section 4, and how its body is framed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple

from controlpanel.server.scope import Message

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
NO_BODY = frozenset({*range(100, 200), 204, 304})
LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Framing(NamedTuple):
    """``has_body`` is False for HEAD and for statuses that have none; ``closes``: the connection closes afterwards."""

    has_body: bool
    is_chunked: bool
    closes: bool


def frame(start: Message, method: bytes, version: str, keep_alive: bool, length: int | None) -> tuple[bytes, Framing]:
    """The head of the answer that ``start`` begins. ``length`` is the body's, or None while it is not known."""
    status: int = start["status"]
    lines = [STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
    has_length = False
    for name, value in start.get("headers", ()):
        if b"\n" in value or b"\r" in value or b"\n" in name or b"\r" in name:
            raise ValueError(f"header {name!r} would split the answer")
        has_length = has_length or name.lower() == b"content-length"
        lines.append(b"%b: %b\r\n" % (name, value))
    has_body = status not in NO_BODY and method != b"HEAD"
    is_chunked = False
    if has_body and not has_length:
        if length is not None:
            lines.append(b"Content-Length: %d\r\n" % length)
        elif version == "1.1":
            lines.append(b"Transfer-Encoding: chunked\r\n")
            is_chunked = True
        else:
            keep_alive = False
    lines.append(_date(int(time.time())))
    lines.append(b"\r\n" if keep_alive else b"Connection: close\r\n\r\n")
    return b"".join(lines), Framing(has_body, is_chunked, not keep_alive)


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def refusal(status: int, message: str, fields: Iterable[bytes] = ()) -> bytes:
    """A whole answer that closes the connection, for what never gets to the application. Docker's form of an error."""
    body = json.dumps({"message": message}, separators=(",", ":")).encode() + b"\n"
    lines = [
        STATUS_LINES[status],
        b"Content-Type: application/json\r\n",
        b"Content-Length: %d\r\n" % len(body),
        *(field + b"\r\n" for field in fields),
        _date(int(time.time())),
        b"Connection: close\r\n\r\n",
        body,
    ]
    return b"".join(lines)


class _Clock:
    second = -1
    line = b""


def _date(second: int) -> bytes:
    """The Date field, RFC 9110 section 6.6.1, written once a second at most."""
    if second != _Clock.second:
        _Clock.second, _Clock.line = second, f"Date: {formatdate(second, usegmt=True)}\r\n".encode()
    return _Clock.line
