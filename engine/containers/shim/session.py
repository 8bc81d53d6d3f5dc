"""Exec sessions: one more process inside a running container, which `engine.containers.shim.entry` makes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable

from engine.containers import wire
from engine.containers.shim import entry
from engine.containers.shim.init import failure
from engine.containers.shim.loop import READ, Loop
from engine.containers.shim.process import command_error
from engine.containers.shim.reaper import reap
from engine.containers.shim.stdio import Stdio, make_pipes
from engine.errors import Conflict, MuelleError
from engine.kernel import libc

_SETUP_SECONDS = 30.0
_ERROR_PREFIX = "OCI runtime exec failed: exec failed: unable to start container process: "

Reply = Callable[[wire.Message], None]


class Session:
    """One exec: its process, its streams and in the end its exit code.

    ``on_end`` is called once, when the process has ended and its output is delivered, or when it could not start.
    ``container_ends`` says whether the container has begun to end.
    """

    def __init__(
        self,
        loop: Loop,
        request: wire.Message,
        client: int | None,
        reply: Reply,
        on_end: Callable[[Session], None],
        container_ends: Callable[[], bool],
    ) -> None:
        self.id: str = request["id"]
        self.pid = 0
        self.exit_code: int | None = None
        self.stdio: Stdio | None = None
        self._loop, self._request, self._client = loop, request, client
        self._reply, self._on_end, self._container_ends = reply, on_end, container_ends
        self._pidfd = -1
        self._cradle = libc.Cradle()
        self._helper, self._helper_pidfd, self._verdict = 0, -1, -1
        self._settled = False
        self._ends: list[int] = []
        self._container = ""
        self._channel: socket.socket

    @property
    def running(self) -> bool:
        return self.exit_code is None and self.pid > 0

    def begin(self, container: str, directory: str, init_pidfd: int) -> None:
        """Start the process in the container; the requester is answered once, with ``{"pid"}`` or an error.

        Raises OSError when there is no process or no descriptor left; then nobody has been answered.
        """
        self._container = container
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            ours.callback(self._cradle.close)
            pipes = None if self._request["tty"] else make_pipes(self._request["stdin"])
            if pipes:
                self._ends = pipes.ours
                ours.callback(wire.close_all, pipes.ours)
                theirs.callback(wire.close_all, pipes.theirs)
            self._channel, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.enter_context(self._channel)
            theirs.enter_context(channel)
            self._verdict, verdict = os.pipe2(os.O_CLOEXEC)
            ours.callback(os.close, self._verdict)
            theirs.callback(os.close, verdict)
            self._helper, self._helper_pidfd = libc.clone3(0, signal.SIGCHLD)
            if not self._helper:
                entry.run(directory, self._request, init_pidfd, channel, verdict, self._cradle, pipes)
            ours.pop_all()  # they stay
        self._loop.later(_SETUP_SECONDS, self._expire)
        self._loop.watch(self._verdict, READ, self._judged)

    def _judged(self, _events: int) -> None:
        """The process executes its command, or something went wrong: the helper and the process say what, if they can.

        The helper's messages wait until now, so that it is not held up by our reading them.
        """
        verdict = os.read(self._verdict, entry.VERDICT.size)
        self._loop.forget(self._verdict)
        os.close(self._verdict)
        message: wire.Message = {}
        with self._channel, contextlib.suppress(OSError, EOFError, ValueError):  # the last without a descriptor left
            self._channel.setblocking(False)
            while "error" not in message:
                message, self._ends = _receive(self._channel, self._ends)
        self._settled = True
        self._loop.watch(self._helper_pidfd, READ, self._helper_ended)
        self.pid = self._cradle.pid
        self._cradle.close()
        told = message if "error" in message else self._explain(verdict)
        told = self._open() or told
        if told is None:
            self._born()
        else:
            self._failed(told)

    def _open(self) -> wire.Message | None:
        """What is needed to follow the process. One that cannot be followed does not go on; returns why."""
        if not self.pid:
            return None
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except OSError as error:
            os.kill(self.pid, signal.SIGKILL)
            reap(self.pid)
            self.pid = 0
            return failure(f"cannot follow the process: {os.strerror(error.errno or 0).lower()}")
        return None

    def _explain(self, verdict: bytes) -> wire.Message | None:
        if len(verdict) != entry.VERDICT.size:
            return None if self.pid and self._ends else failure("the process died during set-up")
        step, number = entry.VERDICT.unpack(verdict)
        error = OSError(number, os.strerror(number))
        if step == entry.FORKING:
            return failure(f"cannot make a process in the container: {os.strerror(number).lower()}")
        refused = command_error(self._request["args"][0], error)
        return {"error": refused.to_json(), "exit_code": refused.exit_code}

    def _helper_ended(self, _events: int) -> None:
        self._loop.forget(self._helper_pidfd)
        os.close(self._helper_pidfd)
        reap(self._helper)

    def _expire(self) -> None:
        """A container can make set-up wait for ever, as with a dead network file system; not us with it."""
        if not self._settled:
            signal.pidfd_send_signal(self._helper_pidfd, signal.SIGKILL)
            if self._cradle.pid:
                os.kill(self._cradle.pid, signal.SIGKILL)

    def _born(self) -> None:
        tty, stdin = self._request["tty"], self._request["stdin"]
        try:
            self.stdio = Stdio.of(self._loop, self._ends, tty=tty, stdin=stdin, end_with_client=True)
        except OSError as error:
            os.kill(self.pid, signal.SIGKILL)
            self._failed(failure(f"cannot follow the process: {os.strerror(error.errno or 0).lower()}"))
            return
        self._attach_client(self.stdio)
        self._reply({"pid": self.pid})
        self._loop.watch(self._pidfd, READ, self._exited)

    def _failed(self, message: wire.Message) -> None:
        error = self._reason(message)
        self.exit_code = message["exit_code"]
        self.stdio = Stdio(self._loop, stdin=None, outputs={}, tty=self._request["tty"])
        self._attach_client(self.stdio)
        self.stdio.tell(f"{error}\r\n")
        self._reply({"error": error.to_json()})
        wire.close_all(self._ends)
        if self.pid:
            self._loop.watch(self._pidfd, READ, self._exited)
        else:
            self._end()

    def _reason(self, message: wire.Message) -> MuelleError:
        """Whatever went wrong in a container that has ended went wrong because of that."""
        error = MuelleError.from_json(message["error"])
        if isinstance(error, Conflict) or self._container_ends():
            return Conflict(f"container {self._container} is not running")
        return type(error)(_ERROR_PREFIX + error.message)

    def _attach_client(self, stdio: Stdio) -> None:
        if self._client is not None:
            stdio.attach(self._client, self._request)

    def _exited(self, _events: int) -> None:
        self._loop.forget(self._pidfd)
        os.close(self._pidfd)
        exit_code = reap(self.pid)
        if self.exit_code is None:
            self.exit_code = exit_code
        self._end()

    def _end(self) -> None:
        if self.stdio is not None:
            self.stdio.read_remaining()
            self.stdio.finish()
        self._on_end(self)


def _receive(channel: socket.socket, ends: list[int]) -> tuple[wire.Message, list[int]]:
    """The next message, and the terminal's master if it came with it, or else what ``ends`` were before."""
    message, fds = wire.receive(channel)
    return message, fds or ends
