"""Forks shims. A small single-threaded process beside the workers, so that a shim holds no Django and no Celery.

It also keeps attachments to containers that do not run yet (`docker run` attaches before it starts) and hands them to
the shim by inheritance, so that not a byte of early output is missed. Protocol: docs/architecture.md.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

from engine.containers import wire
from engine.containers.shim import descriptors, exe, shapes, shim
from engine.containers.shim.loop import READ, Loop
from engine.containers.shim.reaper import reap
from engine.containers.shim.rehearsal import rehearse
from engine.containers.shim.shim import Attachment
from engine.containers.shim.sockets import listen, serve
from engine.errors import InvalidArgument, MuelleError, Unavailable
from engine.kernel.processes import command_line_memory

MAX_WAITING = 1024
Handler = Callable[[socket.socket, wire.Message, list[int]], None]


class Launcher:
    """Serves two sockets: starts, from root only, and early attachments."""

    def __init__(self, run_directory: str, group: int) -> None:
        self._loop = Loop()
        self._run, self._group = run_directory, group
        self._waiting: dict[str, list[Attachment]] = {}
        self._starts = listen(f"{run_directory}/launcher.sock", 0o600, group)
        self._attaches = listen(f"{run_directory}/attach.sock", 0o660, group)

    def run(self) -> None:
        serve(self._loop, self._starts, lambda sock: self._accept(sock, self._start))
        serve(self._loop, self._attaches, lambda sock: self._accept(sock, self._attach))
        self._loop.run()

    def _accept(self, sock: socket.socket, handler: Handler) -> None:
        sock.settimeout(10)
        self._loop.watch(sock.fileno(), READ, lambda _events: self._receive(sock, handler))

    def _receive(self, sock: socket.socket, handler: Handler) -> None:
        self._loop.forget(sock.fileno())
        try:
            message, fds = wire.receive(sock)
        except (OSError, EOFError, ValueError):
            sock.close()
            return
        try:
            handler(sock, message, fds)
        except (MuelleError, LookupError, TypeError, ValueError, OSError) as error:
            known = error if isinstance(error, MuelleError) else InvalidArgument(f"malformed request: {error!r}")
            with contextlib.suppress(OSError):
                wire.send(sock, {"error": known.to_json()})
        finally:
            wire.close_all(fds)
            sock.close()

    def _start(self, sock: socket.socket, message: wire.Message, _fds: list[int]) -> None:
        """Fork the shim; it answers the worker itself. Its socket is there before it is: no attach falls between."""
        container = message["container"]
        listener = listen(self._shim_socket(container), 0o660, self._group)
        attachments = self._waiting.pop(container, [])
        for _, fd in attachments:
            self._loop.forget(fd)
        try:
            shim_pid = os.fork()
            if not shim_pid:
                self._be_shim(message["directory"], sock, listener, attachments)
            self._reap_later(shim_pid)
        finally:
            listener.close()
            wire.close_all(fd for _, fd in attachments)

    def _be_shim(
        self, directory: str, sock: socket.socket, listener: socket.socket, attachments: list[Attachment]
    ) -> NoReturn:
        """What the launcher holds for others closes: its listeners, clients of other containers, their shims' ends."""
        try:
            self._loop.abandon()
            sock.setblocking(True)
            shim.main(directory, sock, listener, attachments)
        finally:
            os._exit(1)

    def _reap_later(self, shim_pid: int) -> None:
        pidfd = os.pidfd_open(shim_pid)

        def ended(_events: int) -> None:
            self._loop.forget(pidfd)
            os.close(pidfd)
            reap(shim_pid)

        self._loop.watch(pidfd, READ, ended)

    def _attach(self, sock: socket.socket, message: wire.Message, fds: list[int]) -> None:
        """Keep a client until its container starts; if it has just started, pass the client on.

        The shim takes us for root: nothing but an attachment of a checked form is passed on.
        """
        shapes.require(message, shapes.EARLY_ATTACHMENT)
        container = message["container"]
        if len(fds) != 1:
            raise InvalidArgument("attach needs the client's connection")
        shapes.require_stream(fds[0])
        try:
            reply = wire.call(self._shim_socket(container), message | {"op": "attach"}, fds, timeout=2)
        except Unavailable:
            self._keep(container, message, fds)
            reply = {}
        wire.send(sock, reply)

    def _keep(self, container: str, message: wire.Message, fds: list[int]) -> None:
        if sum(map(len, self._waiting.values())) >= MAX_WAITING:
            raise Unavailable("too many clients wait for containers to start")
        fd = fds.pop(0)
        attachment = (message, fd)
        self._waiting.setdefault(container, []).append(attachment)
        # Nothing is read: only the client's going away is noticed.
        self._loop.watch(fd, 0, lambda _events: self._drop(container, attachment))

    def _drop(self, container: str, attachment: Attachment) -> None:
        self._loop.forget(attachment[1])
        os.close(attachment[1])
        self._waiting[container].remove(attachment)
        if not self._waiting[container]:
            del self._waiting[container]

    def _shim_socket(self, container: str) -> str:
        return f"{self._run}/shims/{container[:24]}"


def main() -> None:
    """``launcher RUN_DIRECTORY GROUP_ID``"""
    run_directory, group = sys.argv[1], int(sys.argv[2])
    exe.seal()
    rehearse(run_directory, group)
    descriptors.raise_limit()
    command_line_memory()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # commands inherit it
    launcher = Launcher(run_directory, group)
    # A shim is a fork of this process: without collections its pages stay shared with ours.
    gc.collect()
    gc.disable()
    gc.freeze()
    launcher.run()


if __name__ == "__main__":
    main()
