"""The socket of a shim: who may ask what, and who watches the log grow. Operations: docs/architecture.md."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.containers import wire
from engine.containers.shim import shapes, sockets
from engine.containers.shim.loop import READ, Loop
from engine.errors import Conflict, Forbidden, InvalidArgument, MuelleError, NotFound, Unavailable

if TYPE_CHECKING:
    from engine.containers.shim.shim import Shim


class Connection:
    """One peer. Its requests are answered in order; it may stay to watch."""

    def __init__(self, loop: Loop, sock: socket.socket, requests: Requests) -> None:
        self._loop, self._socket, self._requests = loop, sock, requests
        sock.setblocking(False)
        self.is_root = _peer_uid(sock) == 0
        loop.watch(sock.fileno(), READ, self._ready)

    def reply(self, message: wire.Message) -> None:
        """Send an answer; a peer that does not read its answers loses the connection."""
        if self._socket.fileno() < 0:
            return
        try:
            wire.send(self._socket, message)
        except OSError:
            self.close()

    def nudge(self) -> None:
        """Tell a watcher that there is more. If its queue is full it has not read the last nudge yet."""
        try:
            wire.send(self._socket, {})
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
        self._requests.left(self)

    def _ready(self, _events: int) -> None:
        try:
            message, fds = wire.receive(self._socket)
        except BlockingIOError:
            return
        except (OSError, EOFError, ValueError):
            self.close()
            return
        self._requests.answer(self, message, fds)


class Requests:
    """Serves the shim's listening socket from the moment the container runs until it has ended."""

    def __init__(self, shim: Shim, listener: socket.socket) -> None:
        self._shim, self._listener = shim, listener
        self._connections: set[Connection] = set()
        self._watchers: set[Connection] = set()
        self._nudged = False
        self._operations: dict[str, Callable[[Connection, wire.Message, list[int]], wire.Message | None]] = {
            "attach": self._attach,
            "exec": self._exec,
            "exec_state": self._exec_state,
            "resize": self._resize,
            "watch": self._watch,
            "signal": self._signal,
            "stop": self._stop,
            "state": self._state,
        }

    def serve(self) -> None:
        self._listener.setblocking(False)
        sockets.serve(self._shim.loop, self._listener, self._accept)

    def stop_listening(self) -> None:
        """Take the socket's name away, so that nobody connects to an ended container."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._listener.getsockname())
        self._shim.loop.forget(self._listener.fileno())
        self._listener.close()

    def close(self) -> None:
        """Tell the watchers that the log is complete."""
        for watcher in list(self._watchers):
            watcher.close()

    def left(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._watchers.discard(connection)

    def log_grew(self) -> None:
        """Wake the watchers, at most once in ten milliseconds: they read files, not messages."""
        if self._watchers and not self._nudged:
            self._nudged = True
            self._shim.loop.later(0.01, self._nudge)

    def answer(self, connection: Connection, message: wire.Message, fds: list[int]) -> None:
        """Run one request. Descriptors that no operation took over are closed here."""
        try:
            operation = self._operations.get(message.get("op", ""))
            if operation is None:
                raise InvalidArgument(f"unknown operation {message.get('op')!r}")
            reply = operation(connection, message, fds)
        except MuelleError as error:
            reply = {"error": error.to_json()}
        except (LookupError, TypeError, ArithmeticError, ValueError) as error:
            reply = {"error": InvalidArgument(f"malformed request: {error!r}").to_json()}
        except OSError as error:
            reply = {"error": Conflict(f"the operation failed: {error.strerror}").to_json()}
        wire.close_all(fds)
        if reply is not None:
            connection.reply(reply)

    def _accept(self, sock: socket.socket) -> None:
        self._connections.add(Connection(self._shim.loop, sock, self))

    def _nudge(self) -> None:
        self._nudged = False
        for watcher in list(self._watchers):
            watcher.nudge()

    def _require_root(self, connection: Connection) -> None:
        if not connection.is_root:
            raise Forbidden("only root may control a container's process")

    def _require_running(self) -> None:
        if not self._shim.running:
            raise Conflict(f"container {self._shim.id} is not running")

    def _attach(self, _connection: Connection, message: wire.Message, fds: list[int]) -> wire.Message:
        shapes.require(message, shapes.STREAMS)
        self._require_running()
        if not fds:
            raise InvalidArgument("attach needs the client's connection")
        shapes.require_stream(fds[0])
        self._shim.stdio.attach(fds.pop(0), message)
        return {}

    def _exec(self, connection: Connection, message: wire.Message, fds: list[int]) -> None:
        shapes.require(message, shapes.EXEC)
        for fd in fds[:1]:
            shapes.require_stream(fd)
        if not self._shim.running:  # and nobody is left to report this session's end
            raise Unavailable(f"container {self._shim.id} is not running")
        if message["id"] in self._shim.sessions or message["id"] in self._shim.exit_codes:
            raise Conflict(f"exec command {message['id']} has already run")
        self._shim.begin_session(message, fds[0] if fds else None, connection)
        del fds[:1]  # taken over

    def _exec_state(self, _connection: Connection, message: wire.Message, _fds: list[int]) -> wire.Message:
        shapes.require(message, shapes.SESSION)
        session = self._shim.sessions.get(message["id"])
        if session:
            return {"running": session.running, "exit_code": session.exit_code, "pid": session.pid}
        if message["id"] not in self._shim.exit_codes:
            raise NotFound(f"No such exec instance: {message['id']}")
        return {"running": False, "exit_code": self._shim.exit_codes[message["id"]], "pid": 0}

    def _resize(self, _connection: Connection, message: wire.Message, _fds: list[int]) -> wire.Message:
        shapes.require(message, shapes.RESIZE)
        height, width = message["height"], message["width"]
        if not message["exec"]:
            self._shim.stdio.resize(height, width)
            return {}
        session = self._shim.sessions.get(message["exec"])
        if session is None or session.stdio is None:
            raise NotFound(f"No such exec instance: {message['exec']}")
        session.stdio.resize(height, width)
        return {}

    def _watch(self, connection: Connection, _message: wire.Message, _fds: list[int]) -> wire.Message:
        self._watchers.add(connection)
        return {}

    def _signal(self, connection: Connection, message: wire.Message, _fds: list[int]) -> wire.Message:
        self._require_root(connection)
        self._shim.signal(message["signal"])
        return {}

    def _stop(self, connection: Connection, message: wire.Message, _fds: list[int]) -> wire.Message:
        self._require_root(connection)
        self._shim.stop(message["signal"], message["timeout"])
        return {}

    def _state(self, _connection: Connection, _message: wire.Message, _fds: list[int]) -> wire.Message:
        return {"pid": self._shim.pid, "running": self._shim.running}


def _peer_uid(sock: socket.socket) -> int:
    """SO_PEERCRED, unix(7)."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)
