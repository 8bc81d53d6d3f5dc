"""Carries bytes between a process in a container, its log and the clients that are attached to it.

One `Stdio` belongs to one process: a container's first process, or an exec session. Output goes to the log and to every
attached client; input goes from clients to the process, in order.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from engine.containers import wire
from engine.containers.frames import STDERR, STDOUT
from engine.containers.shim.client import MAX_BACKLOG, READ_SIZE, Client
from engine.containers.shim.loop import READ, WRITE, Loop
from engine.kernel import pty

_NAMES = {STDOUT: "stdout", STDERR: "stderr"}

LogSink = Callable[[str, bytes], None]


class Pipes(NamedTuple):
    """Both sides of a process's standard streams without a terminal."""

    ours: list[int]  # stdin if there is one, stdout, stderr
    theirs: tuple[int, int, int]


def make_pipes(stdin: bool) -> Pipes:
    """Make pipes for output and, if asked for, input; otherwise the process reads /dev/null. Raises OSError."""
    opened: list[int] = []
    try:
        opened += os.pipe2(os.O_CLOEXEC) if stdin else [os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)]
        for _ in range(2):
            opened += os.pipe2(os.O_CLOEXEC)
    except OSError:
        wire.close_all(opened)
        raise
    their_in, *our_in, our_out, their_out, our_err, their_err = opened
    return Pipes([*our_in, our_out, our_err], (their_in, their_out, their_err))


def nothing() -> None:
    """The default of a callback."""


class Input:
    """A process's standard input. What it does not take now is kept, and ``room`` is called when it is taken."""

    def __init__(self, loop: Loop, fd: int | None, room: Callable[[], None]) -> None:
        self._loop, self._fd, self._room = loop, fd, room
        self._pending = b""
        self._ending = False
        if fd is not None:
            os.set_blocking(fd, False)

    @property
    def is_open(self) -> bool:
        return self._fd is not None and not self._ending

    @property
    def takes_more(self) -> bool:
        return self.is_open and not self._pending

    def give(self, data: bytes) -> None:
        if self.is_open:
            self._pending += data
            self._write()

    def end(self) -> None:
        """Close once everything given before is written."""
        self._ending = True
        if not self._pending:
            self.close()

    def close(self) -> None:
        if self._fd is not None:
            self._loop.forget(self._fd)
            os.close(self._fd)
            self._fd, self._pending = None, b""

    def _write(self, _events: int = 0) -> None:
        if self._fd is None:
            return
        try:
            self._pending = self._pending[os.write(self._fd, self._pending) :]
        except BlockingIOError:
            pass
        except OSError:  # the process closed its end
            self.close()
        if self._pending:
            self._loop.watch(self._fd, WRITE, self._write)
        elif self._fd is not None:
            self._loop.forget(self._fd)
            if self._ending:
                self.close()
        self._room()


class Stdio:
    """The streams of one process.

    ``outputs`` maps stream numbers to descriptors; a terminal has one output, its master, and ``stdin`` is a duplicate
    of that. All descriptors are owned from here on. ``end_with_client``: the first client's end of file is the
    process's too (StdinOnce, and every exec session).
    """

    def __init__(
        self,
        loop: Loop,
        *,
        stdin: int | None,
        outputs: dict[int, int],
        tty: bool,
        log: LogSink | None = None,
        end_with_client: bool = False,
    ) -> None:
        self.loop, self.tty = loop, tty
        self._outputs, self._log, self._end_with_client = outputs, log, end_with_client
        self._clients: list[Client] = []
        self._paused = False
        self._input = Input(loop, stdin, self._input_moved)
        self.on_detach: Callable[[], None] = nothing
        self.on_output: Callable[[], None] = nothing
        for stream, fd in outputs.items():
            os.set_blocking(fd, False)
            self._watch_output(stream, fd)

    @classmethod
    def of(
        cls, loop: Loop, ends: list[int], *, tty: bool, stdin: bool, log: LogSink | None = None, end_with_client: bool
    ) -> Stdio:
        """From our ends: a terminal's master, or those of `make_pipes`."""
        if tty:
            return cls(loop, stdin=os.dup(ends[0]), outputs={STDOUT: ends[0]}, tty=True, log=log)
        out, err = ends[-2:]
        return cls(
            loop,
            stdin=ends[0] if stdin else None,
            outputs={STDOUT: out, STDERR: err},
            tty=False,
            log=log,
            end_with_client=end_with_client,
        )

    def attach(self, fd: int, request: dict[str, Any]) -> None:
        """Take over a client's connection; ``request`` has the fields of ``attach`` in docs/architecture.md.

        With a terminal all output is stdout.
        """
        stdout, stderr = request["stdout"], request["stderr"]
        streams = {STDOUT} if stdout or (stderr and self.tty) else set()
        if stderr and not self.tty:
            streams.add(STDERR)
        client = Client(
            self,
            fd,
            streams=frozenset(streams),
            stdin=request["stdin"] and self._input.is_open,
            framed=request["framed"],
            keys=bytes(request["detach_keys"]) if self.tty else b"",
            surplus=base64.b64decode(request.get("surplus", "")),
        )
        self._clients.append(client)
        client.begin()

    def tell(self, text: str) -> None:
        """Say something to the clients that is not the process's output."""
        for client in list(self._clients):
            client.write(STDOUT, text.encode())

    def resize(self, height: int, width: int) -> None:
        if self.tty and STDOUT in self._outputs:
            pty.resize(self._outputs[STDOUT], height, width)

    @property
    def takes_input(self) -> bool:
        return self._input.takes_more

    @property
    def attached(self) -> bool:
        return bool(self._clients)

    def give_input(self, data: bytes) -> None:
        self._input.give(data)

    def input_ended(self) -> None:
        if self._end_with_client and not self.tty:
            self._input.end()

    def detached(self, client: Client, by_keys: bool) -> None:
        if client in self._clients:
            self._clients.remove(client)
            self.resume_output()
            if by_keys:
                self.on_detach()

    def resume_output(self) -> None:
        """Read the process's output again once no client lags behind."""
        if self._paused and not self._lagging():
            self._paused = False
            for stream, fd in self._outputs.items():
                self._watch_output(stream, fd)

    def read_remaining(self) -> None:
        """Read what is there after the process has ended; a descriptor that leaked elsewhere is not waited for."""
        for stream, fd in list(self._outputs.items()):
            while self._outputs.get(stream) == fd and self._read(stream, fd):
                pass
        for stream in list(self._outputs):
            self._close_output(stream)

    def finish(self) -> None:
        """Close everything; clients get their backlog first."""
        for stream in list(self._outputs):
            self._close_output(stream)
        self._input.close()
        for client in list(self._clients):
            client.finish()

    def _watch_output(self, stream: int, fd: int) -> None:
        self.loop.watch(fd, READ, lambda _events: self._output_ready(stream, fd))

    def _output_ready(self, stream: int, fd: int) -> None:
        self._read(stream, fd)
        if self._lagging():
            self._paused = True
            for other in self._outputs.values():
                self.loop.forget(other)

    def _lagging(self) -> bool:
        return any(len(client.backlog) > MAX_BACKLOG for client in self._clients)

    def _read(self, stream: int, fd: int) -> bool:
        """Read one block; false when there is none."""
        try:
            data = os.read(fd, READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:  # EIO: the last process has closed the terminal
            data = b""
        if not data:
            self._close_output(stream)
            return False
        if self._log is not None:
            self._log(_NAMES[stream], data)
        for client in list(self._clients):
            if stream in client.streams:
                client.write(stream, data)
        self.on_output()
        return True

    def _close_output(self, stream: int) -> None:
        fd = self._outputs.pop(stream)
        self.loop.forget(fd)
        os.close(fd)

    def _input_moved(self) -> None:
        for client in list(self._clients):
            client.watch()
