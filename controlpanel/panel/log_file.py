"""A container's whole log as the lines of a text file."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from controlpanel.streams import logs

if TYPE_CHECKING:
    from controlpanel.objects.models import Container


async def lines(container: Container, *, timestamps: bool) -> AsyncGenerator[bytes, None]:
    """Pieces of the file. It ends where the log ended when the download began."""
    async with aclosing(logs.follow(container, live=False)) as batches:
        async for batch in batches:
            if timestamps:
                yield b"".join(record.time.encode() + b" " + record.line for record in batch)
            else:
                yield b"".join(record.line for record in batch)
