"""Exec sessions: one more process inside a running container.

The shim makes it directly in the container's PID namespace, which setns(2) gives to children alone; the process enters
the other namespaces itself, so that the shim's own stay as they are. It speaks to the shim over a SOCK_SEQPACKET pair
(`engine.containers.wire`) that execve closes: ``{"terminal"}`` + the master, if it has one, and
``{"error", "exit_code"}`` if it cannot become the command.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, NoReturn

from engine.containers import wire
from engine.containers.shim.init import join_cgroups, protect, replace_stdio, report
from engine.containers.shim.loop import READ, Loop
from engine.containers.shim.process import become
from engine.containers.shim.reaper import reap
from engine.containers.shim.starter import read_spec
from engine.containers.shim.stdio import Pipes, Stdio, make_pipes
from engine.errors import MuelleError, SystemFailure
from engine.kernel import libc, pty

_NAMESPACES = libc.CLONE_NEWNS | libc.CLONE_NEWNET | libc.CLONE_NEWIPC | libc.CLONE_NEWUTS | libc.CLONE_NEWCGROUP
_ALL_CAPABILITIES = (1 << 64) - 1
_SETUP_SECONDS = 30.0
_ERROR_PREFIX = "OCI runtime exec failed: exec failed: unable to start container process: "

Reply = Callable[[wire.Message], None]


class Session:
    """One exec: its process, its streams and in the end its exit code.

    ``on_end`` is called once, when the process has ended and its output is delivered, or when it could not start.
    """

    def __init__(
        self, loop: Loop, request: wire.Message, client: int | None, reply: Reply, on_end: Callable[[Session], None]
    ) -> None:
        self.id: str = request["id"]
        self.pid = 0
        self.exit_code: int | None = None
        self.stdio: Stdio | None = None
        self._loop, self._request, self._client = loop, request, client
        self._reply, self._on_end = reply, on_end
        self._pidfd = -1
        self._ends: list[int] = []
        self._channel: socket.socket

    @property
    def running(self) -> bool:
        return self.exit_code is None and self.pid > 0

    def begin(self, directory: str, init_pidfd: int) -> None:
        """Start the process in the container; the requester is answered once, with ``{"pid"}`` or an error."""
        pipes = None if self._request["tty"] else make_pipes(self._request["stdin"])
        self._ends = pipes.ours if pipes else []
        self._channel, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        protect()
        try:
            libc.setns(init_pidfd, libc.CLONE_NEWPID)
            self.pid, self._pidfd = libc.clone3(0, signal.SIGCHLD)
        except OSError as error:
            # The container has just ended; what the child would say, its parent says.
            report(channel, SystemFailure(f"cannot enter the container: {error}"))
        else:
            if not self.pid:
                _run(directory, self._request, init_pidfd, channel, pipes)
            self._loop.later(_SETUP_SECONDS, self._expire)
        channel.close()
        wire.close_all(pipes.theirs if pipes else ())
        self._loop.watch(self._channel.fileno(), READ, self._spoken)

    def _spoken(self, _events: int) -> None:
        """The terminal, an error, or the end of the channel: it has become the command, or died before it could."""
        try:
            message, fds = wire.receive(self._channel)
        except (OSError, EOFError):
            message, fds = {} if self._ends else _died(), []
        if "terminal" in message:
            self._ends = fds
            return
        self._loop.forget(self._channel.fileno())
        self._channel.close()
        if "error" in message:
            wire.close_all(self._ends)
            self._failed(message)
        else:
            self._born()

    def _expire(self) -> None:
        """A container can make set-up wait for ever, as with a dead network file system; not us with it."""
        if self._channel.fileno() >= 0:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _born(self) -> None:
        self.stdio = Stdio.of(
            self._loop, self._ends, tty=self._request["tty"], stdin=self._request["stdin"], end_with_client=True
        )
        self._attach_client(self.stdio)
        self._reply({"pid": self.pid})
        self._loop.watch(self._pidfd, READ, self._exited)

    def _failed(self, message: wire.Message) -> None:
        text = _ERROR_PREFIX + message["error"]["message"]
        self.exit_code = message["exit_code"]
        self.stdio = Stdio(self._loop, stdin=None, outputs={}, tty=self._request["tty"])
        self._attach_client(self.stdio)
        self.stdio.tell(text + "\r\n")
        self._reply({"error": type(MuelleError.from_json(message["error"]))(text).to_json()})
        if self.pid:
            self._loop.watch(self._pidfd, READ, self._exited)
        else:
            self._end()

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


def _died() -> wire.Message:
    return {"error": SystemFailure("the process died during set-up").to_json(), "exit_code": 128}


def _process(container: dict[str, Any], request: wire.Message) -> dict[str, Any]:
    """The process to run: the container's own, changed by what the request names."""
    terminal = ["TERM=xterm"] if request["tty"] else []
    return container | {
        "args": request["args"],
        "env": [*container["env"], *terminal, *request["env"]],
        "cwd": request["cwd"] or container["cwd"],
        "user": request["user"] or container["user"],
        "capabilities": _ALL_CAPABILITIES if request["privileged"] else container["capabilities"],
        "oom_score_adj": 0,
    }


def _enter_cgroups(paths: list[str], init_pidfd: int) -> None:
    """Join the container's cgroups, or the one below that its first process has moved to.

    In cgroup v2 a cgroup that gives controllers to others can hold no process (EBUSY, cgroups(7)): an init system or a
    container engine in the container has then made cgroups of its own.
    """
    try:
        join_cgroups(paths)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        own = os.path.dirname(paths[0])
        join_cgroups([f"{own}{_moved_to(init_pidfd, os.path.basename(own))}/cgroup.procs"])


def _moved_to(pidfd: int, container: str) -> str:
    """The path of a process's cgroup below its container's, which bears the container's ID."""
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as file:
        pid = next(line.split()[1] for line in file if line.startswith("Pid:"))
    with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        path = next(line.rstrip("\n") for line in file if line.startswith("0::"))
    _, found, below = path.partition(f"/{container}")
    if not found:
        raise SystemFailure(f"the container's first process has left its cgroup for {path[3:]}")
    return below


def _run(
    directory: str, request: wire.Message, init_pidfd: int, channel: socket.socket, pipes: Pipes | None
) -> NoReturn:
    """Run in the child: enter the container and become the command."""
    status = 1
    try:
        spec = read_spec(directory)
        _enter_cgroups(spec["cgroup"]["join"], init_pidfd)
        libc.setns(init_pidfd, _NAMESPACES)
        os.setsid()
        if pipes is None:
            master, slave = pty.open_in_container(request["console_size"] or [0, 0])
            wire.send(channel, {"terminal": True}, (master,))
            pty.take(slave)
            replace_stdio((slave, slave, slave))
        else:
            replace_stdio(pipes.theirs)
        become(_process(spec["process"], request), dies_with_parent=True)
    except BaseException as error:  # nothing may leave this child but os._exit
        status = report(channel, error)
    finally:
        os._exit(status)
