"""Threads that speak the wire contract of shims and of the launcher."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from engine.containers import wire

Handler = Callable[[wire.Message, list[int], socket.socket], wire.Message | None]


class Double:
    """Listens at ``path``; each message goes to ``handler``, whose result is the reply (None: it replies itself)."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self.messages: list[dict[str, Any]] = []
        self._handler = handler
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen()
        self._path = path
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for thread in self._threads:
            thread.join(10)

    def _spawn(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, EOFError):
            while True:
                message, fds = wire.receive(connection)
                self.messages.append(message)
                reply = self._handler(message, fds, connection)
                if reply is not None:
                    wire.send(connection, reply)


@contextmanager
def listening(path: Path, handler: Handler) -> Iterator[Double]:
    double = Double(path, handler)
    try:
        yield double
    finally:
        double.close()


def client_socket(fds: list[int]) -> socket.socket:
    """The client's connection as the shim gets it; blocking, for the thread that plays the process."""
    sock = socket.socket(fileno=fds[0])
    sock.setblocking(True)
    return sock
