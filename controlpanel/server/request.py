"""One HTTP request: Daphne's, with streamed bodies, back-pressure on the answer, and a way out for the connection."""

from __future__ import annotations

import asyncio
import io
import os
from typing import Any

from daphne.http_protocol import WebRequest
from twisted.internet import interfaces
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.http import NO_BODY_CODES
from zope.interface import implementer  # type: ignore[import-untyped]

from controlpanel.server.upload import Upload
from controlpanel.streams.connection import Detached
from controlpanel.streams.uploads import is_upload

FLUSH_SECONDS = 0.005


@implementer(interfaces.IPushProducer)
class Gate:
    """Open while the client keeps up with the answer; Twisted shuts it at 64 KiB of unsent bytes."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    async def passed(self) -> None:
        await self._open.wait()

    def pauseProducing(self) -> None:  # noqa: N802
        self._open.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self._open.set()

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is gone: whoever waits goes on and learns of it."""
        self._open.set()


class Request(WebRequest):  # type: ignore[misc]  # Daphne has no types
    """What the server knows of one request; also the ``muelle.connection`` of its scope."""

    upload: Upload | None = None
    detached = False
    _gate: Gate | None = None
    _start: dict[str, Any] | None = None
    _answered = False

    @property
    def is_streaming(self) -> bool:
        """Whether part of an answer of unknown length has been sent."""
        return bool(self.startedWriting and self.chunked)

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        channel = self.channel
        if length == 0 or not is_upload(channel._command, channel._path):
            super().gotLength(length)
            return
        # A body that its reader holds up is no idle connection.
        channel._savedTimeOut = channel.setTimeout(None)
        self.upload = Upload(self._pause_body, self._resume_body, self._cut)
        self.content = io.BytesIO()
        super().requestReceived(channel._command, channel._path, channel._version)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        if self.upload is None:
            super().handleContentChunk(data)
        else:
            self.upload.feed(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802
        """All of the request is here; with an upload the view has been running since the head."""
        if self.upload is None:
            super().requestReceived(command, path, version)
            return
        self.upload.finish()
        if self._answered:
            super().finish()

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Send one ASGI message. The head waits for the first piece of body, which tells whether a length is known."""
        if self.detached:
            return
        if message["type"] == "http.response.start" and not self._response_started:
            self._start = message
            return
        if self._start is not None:
            start, self._start = self._start, None
            super().handle_reply(start if message.get("more_body") else self._with_length(start, message))
        super().handle_reply(message)

    async def drained(self) -> None:
        """Wait until the client has taken most of what was written."""
        if self.finished or self._answered or self.detached or self.channel is None:
            return
        if self._gate is None:
            self._gate = Gate()
            self.registerProducer(self._gate, True)
        await self._gate.passed()

    def finish(self) -> None:
        if self._gate is not None:
            self._gate.resumeProducing()
            self.unregisterProducer()
            self._gate = None
        if self.upload is not None and not self.upload.complete:
            self._answered = True
            self.upload.discard()
        else:
            super().finish()

    def handle_exception(self, exception: BaseException) -> None:
        """The application failed. Once a stream has begun, cutting it is the only sign that a client understands."""
        if self.startedWriting:
            self._cut()
        elif not self.detached:
            self._start = None
            self._response_started = False
            super().handle_exception(exception)

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802
        if self.upload is not None and not self.upload.complete:
            self.upload.abort()
        if self._gate is not None:
            self._gate.stopProducing()
        super().connectionLost(reason)

    async def detach(self) -> Detached:
        """Take the connection out of the reactor, without the shutdown(2) that Twisted puts before close(2)."""
        transport = self.channel.transport
        while transport.connected and (transport.dataBuffer or transport._tempDataBuffer):
            # Answers to requests that the client pipelined ahead of this one.
            await asyncio.sleep(FLUSH_SECONDS)
        if not transport.connected:
            raise ConnectionAbortedError("the client left")
        self.detached = True
        fd = os.dup(transport.fileno())
        transport.unregisterProducer()
        transport._shouldShutdown = False
        transport.protocol = Protocol()
        transport.connectionLost(Failure(ConnectionDone()))  # type: ignore[no-untyped-call]
        return Detached(fd, b"".join(self.channel._dataBuffer))

    def _with_length(self, start: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        headers = list(start.get("headers", ()))
        known = self.method == b"HEAD" or start["status"] in NO_BODY_CODES
        if not known and not any(name.lower() == b"content-length" for name, _ in headers):
            headers.append((b"Content-Length", b"%d" % len(body.get("body", b""))))
        return {**start, "headers": headers}

    def _pause_body(self) -> None:
        self.channel._networkProducer.pauseProducing()

    def _resume_body(self) -> None:
        if self.channel is not None and not self.channel._waitingForTransport:
            self.channel._networkProducer.resumeProducing()

    def _cut(self) -> None:
        if self.channel is not None:
            self.channel.forceAbortClient()
