"""The helper that starts a container for its shim, and goes away.

It reads the specification, makes the first process as a child of the shim (CLONE_PARENT), speaks with it and with the
worker, and hands the shim descriptors and a few facts. All memory that starting costs goes away with it: a shim that
has never read a specification keeps nearly all of its pages shared with the launcher.

Messages to the shim: ``{"born": facts}`` + pidfd, what `engine.containers.shim.oom` watches, and the shim's ends of
the streams, or ``{"failed": pid}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from typing import Any, NoReturn

from engine import rfc3339
from engine.containers import wire
from engine.containers.shim import init, oom
from engine.containers.shim.loop import await_readable
from engine.containers.shim.stdio import Pipes, make_pipes
from engine.kernel import libc
from engine.kernel.processes import start_time

SETUP_SECONDS = 60.0
_CLONE_FLAGS = {
    "network": libc.CLONE_NEWNET,
    "pid": libc.CLONE_NEWPID,
    "ipc": libc.CLONE_NEWIPC,
    "uts": libc.CLONE_NEWUTS,
}

Spec = dict[str, Any]


class Failed(Exception):
    """The container cannot run; ``answer`` is for the worker, ``{"error", "exit_code"}``, or None when it went away."""

    def __init__(self, answer: wire.Message | None) -> None:
        super().__init__()
        self.answer = answer


def run(directory: str, worker: socket.socket, shim: socket.socket, shim_path: str) -> NoReturn:
    """Start the container in ``directory``. Never returns; the shim and the worker are told."""
    try:
        Starter(directory, worker, shim, shim_path).start()
    finally:
        os._exit(0)


class Starter:
    """One start: the first process, its channel, and the worker who waits."""

    def __init__(self, directory: str, worker: socket.socket, shim: socket.socket, shim_path: str) -> None:
        self._directory, self._worker, self._shim, self._shim_path = directory, worker, shim, shim_path
        self._spec: Spec = read_spec(directory)
        self._pipes: Pipes | None = None
        self._channel: socket.socket
        self._pid, self._pidfd = 0, -1

    def start(self) -> None:
        try:
            self._clone()
            terminal = self._await_both()
            started_at = self._let_run()
            self._hand_over(terminal)
        except Failed as failure:
            self._undo()
            # A shim that is gone ends this helper here, and the worker hears that.
            wire.send(self._shim, {"failed": self._pid})
            if failure.answer:
                self._refuse(failure.answer)
            return
        with contextlib.suppress(OSError):
            wire.send(self._worker, {"started": started_at, "pid": self._pid})

    def _clone(self) -> None:
        self._pipes = None if self._spec["tty"] else make_pipes(self._spec["stdin"])
        theirs = self._pipes.theirs if self._pipes else None
        self._channel, child_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        flags = libc.CLONE_NEWNS | libc.CLONE_PARENT
        for name, flag in _CLONE_FLAGS.items():
            flags |= flag if self._spec["namespaces"][name] == "private" else 0
        self._pid, self._pidfd = libc.clone3(flags, 0)
        if not self._pid:
            init.run(self._spec, child_channel, theirs)
        child_channel.close()
        wire.close_all(theirs or ())

    def _await_both(self) -> list[int]:
        """Wait until the child's root stands and the worker says go, in either order. Returns the terminal's master."""
        terminal: list[int] | None = None
        may_go = False
        while terminal is None or not may_go:
            if self._readable(self._channel, self._worker) is self._worker:
                may_go = self._hear_worker()
            else:
                message, fds = self._hear_child()
                if "created" in message:
                    self._announce(fds)
                else:
                    terminal = fds
        return terminal

    def _announce(self, fds: list[int]) -> None:
        """Pass the network namespace on to the worker, which sets it up while the child makes its mounts."""
        try:
            wire.send(self._worker, {"created": self._pid}, fds)
        except OSError as error:
            raise Failed(None) from error
        wire.close_all(fds)

    def _let_run(self) -> str:
        """Record the state, let the child execute its command, and wait until it has. Returns the time."""
        started_at = rfc3339.render_fixed(time.time_ns())
        shim_pid = os.getppid()
        write_json(
            f"{self._directory}/state.json",
            {
                "pid": self._pid,
                "shim_pid": shim_pid,
                "shim_start_time": start_time(shim_pid),
                "start_time": start_time(self._pid),
                "started_at": started_at,
            },
        )
        with contextlib.suppress(OSError):  # a child that has died says so below
            wire.send(self._channel, {"go": True})
        self._readable(self._channel)
        with contextlib.suppress(EOFError):
            raise Failed(wire.receive(self._channel)[0])
        return started_at

    def _hand_over(self, terminal: list[int]) -> None:
        spec = self._spec
        ends = self._pipes.ours if self._pipes else terminal
        memory = oom.open_watch(spec["cgroup"]["oom"])
        facts = {
            "id": spec["id"],
            "pid": self._pid,
            "tty": spec["tty"],
            "stdin": spec["stdin"],
            "stdin_once": spec["stdin_once"],
            "log": spec["log"],
            "notice_socket": spec["notice_socket"],
            "processes": "" if spec["namespaces"]["pid"] == "private" else spec["cgroup"]["procs"],
            "oom": len(memory),
        }
        try:
            wire.send(self._shim, {"born": facts}, [self._pidfd, *memory, *ends])
        except OSError as error:  # nobody would serve it, and the kernel does not end every command with its parent
            raise Failed(None) from error

    def _refuse(self, answer: wire.Message) -> None:
        """Tell the worker why not, and wait for it to close.

        It may just have said go: closing with unread data would reset the connection and lose the answer.
        """
        wire.send(self._worker, answer)
        self._worker.settimeout(SETUP_SECONDS)
        with contextlib.suppress(OSError, EOFError):
            while True:
                wire.receive(self._worker)

    def _undo(self) -> None:
        """Take back what the start left on disk, kill the child and wait until it is dead."""
        for path in (f"{self._directory}/state.json", self._shim_path):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            await_readable([self._pidfd], SETUP_SECONDS)

    def _hear_worker(self) -> bool:
        try:
            message, _ = wire.receive(self._worker)
        except (OSError, EOFError) as error:
            raise Failed(None) from error
        return bool(message["go"])

    def _hear_child(self) -> tuple[wire.Message, list[int]]:
        try:
            message, fds = wire.receive(self._channel)
        except (OSError, EOFError) as error:
            raise Failed(init.failure("the container's first process died during set-up")) from error
        if "error" in message:
            raise Failed(message)
        return message, fds

    @staticmethod
    def _readable(*sockets: socket.socket) -> socket.socket:
        ready = await_readable([sock.fileno() for sock in sockets], SETUP_SECONDS)
        if not ready:
            raise Failed(init.failure(f"the container was not set up within {SETUP_SECONDS:.0f} seconds"))
        return next(sock for sock in sockets if sock.fileno() in ready)


def read_spec(directory: str) -> Spec:
    """``spec.json`` of a container."""
    fd = os.open(f"{directory}/spec.json", os.O_RDONLY | os.O_CLOEXEC)
    spec: Spec = json.loads(os.read(fd, os.fstat(fd).st_size))
    os.close(fd)
    return spec


def write_json(path: str, value: dict[str, Any]) -> None:
    """Write a file whole or not at all."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file)
    os.replace(path + ".new", path)
