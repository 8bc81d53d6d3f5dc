"""One connection attached to a container's process or to an exec session.

A client that does not read stops the output once its backlog is full, as under Docker, so that memory stays bounded and
nothing is lost. What it types waits in its own socket while the process does not take it.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Protocol

from engine.containers.frames import DetachKeys, header
from engine.containers.shim.loop import HANGUP, READ, WRITE, Loop

READ_SIZE = 64 * 1024
MAX_BACKLOG = 1024 * 1024


class Streams(Protocol):
    """What a client needs of the process's streams; `engine.containers.shim.stdio.Stdio` is one."""

    loop: Loop

    @property
    def takes_input(self) -> bool: ...
    def give_input(self, data: bytes) -> None: ...
    def input_ended(self) -> None: ...
    def detached(self, client: Client, by_keys: bool) -> None: ...
    def resume_output(self) -> None: ...


class Client:
    """One attached connection. Closed when the process has ended, when its peer is gone, or when the user detaches."""

    def __init__(
        self,
        stdio: Streams,
        fd: int,
        *,
        streams: frozenset[int],
        stdin: bool,
        framed: bool,
        keys: bytes,
        surplus: bytes,
    ) -> None:
        self._stdio, self._socket = stdio, socket.socket(fileno=fd)
        self._socket.setblocking(False)
        self.streams, self._stdin, self._framed = streams, stdin, framed
        self._keys = DetachKeys(keys)
        self._surplus = surplus
        self.backlog = bytearray()
        self._closing = False
        self.watch()

    def begin(self) -> None:
        """Deliver what the client sent before it was handed over."""
        if self._stdin and self._surplus:
            self._typed(self._surplus)

    def watch(self) -> None:
        """Watch for input while the process takes it, and for room while there is a backlog."""
        wants_input = self._stdin and self._stdio.takes_input and not self._closing
        events = (READ if wants_input else 0) | (WRITE if self.backlog else 0)
        self._stdio.loop.watch(self._socket.fileno(), events, self._ready)

    def write(self, stream: int, data: bytes) -> None:
        """Send output, or keep what the connection does not take now."""
        message = header(stream, len(data)) + data if self._framed else data
        if self.backlog:
            self.backlog += message
            return
        sent = self._send(message)
        if sent < len(message) and self._socket.fileno() >= 0:
            self.backlog += message[sent:]
            self.watch()

    def finish(self) -> None:
        """Close once the backlog is delivered."""
        self._closing = True
        if self.backlog:
            self.watch()
        else:
            self.close()

    def close(self, by_keys: bool = False) -> None:
        if self._socket.fileno() >= 0:
            self._stdio.loop.forget(self._socket.fileno())
            # shutdown, not only close: the web process may still hold a duplicate of this connection.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
        self.backlog.clear()
        self._stdio.detached(self, by_keys)

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self._socket.send(data, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0
        except OSError:
            self.close()
            return 0

    def _ready(self, events: int) -> None:
        if events & WRITE and self.backlog:
            del self.backlog[: self._send(self.backlog)]
            if not self.backlog:
                self._drained()
        elif events & READ:
            self._read()
        elif events & HANGUP:
            self.close()

    def _drained(self) -> None:
        if self._closing:
            self.close()
        elif self._socket.fileno() >= 0:
            self.watch()
        self._stdio.resume_output()

    def _read(self) -> None:
        try:
            data = self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if data:
            self._typed(data)
        else:
            # Half-close is how a client says "no more input"; it still wants the output.
            self._stdin = False
            self.watch()
            self._stdio.input_ended()

    def _typed(self, data: bytes) -> None:
        passed, detach = self._keys.feed(data)
        if passed:
            self._stdio.give_input(passed)
        if detach:
            self.close(by_keys=True)
