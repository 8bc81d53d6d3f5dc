"""Answers that stay open."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson

from controlpanel.server.responses import StreamedResponse

JSON = "application/json"


def stream(chunks: AsyncGenerator[bytes, None], content_type: str) -> StreamedResponse:
    """An answer whose head goes out at once: clients act on it before the first byte of body (docker run's wait)."""
    return StreamedResponse(_head_first(chunks), content_type=content_type)


def line(value: Any) -> bytes:
    return orjson.dumps(value) + b"\n"


async def _head_first(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    yield b""
    async with aclosing(chunks):
        async for chunk in chunks:
            yield chunk
