"""Exec sessions: one more process inside a running container.

The shim's own namespaces stay as they are. It forks a helper; the helper enters the container's namespaces, makes the
process with CLONE_PARENT, so that the shim is its parent and learns its exit status, and goes away.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any, NoReturn

from engine.containers import wire
from engine.containers.birth import Birth
from engine.containers.init import join_cgroups, protect, replace_stdio, report
from engine.containers.loop import READ, Loop
from engine.containers.process import become
from engine.containers.reaper import reap
from engine.containers.stdio import Pipes, Stdio, make_pipes
from engine.errors import MuelleError
from engine.kernel import libc, pty

_NAMESPACES = (
    libc.CLONE_NEWNS
    | libc.CLONE_NEWPID
    | libc.CLONE_NEWNET
    | libc.CLONE_NEWIPC
    | libc.CLONE_NEWUTS
    | libc.CLONE_NEWCGROUP
)
_ALL_CAPABILITIES = (1 << 64) - 1
_ERROR_PREFIX = "OCI runtime exec failed: exec failed: unable to start container process: "

Reply = Callable[[wire.Message], None]


class Session:
    """One exec: its process, its streams and in the end its exit code.

    ``on_end`` is called once, when the process has ended and its output is delivered, or when it could not start.
    """

    def __init__(
        self, loop: Loop, request: wire.Message, client: int | None, on_end: Callable[[Session], None]
    ) -> None:
        self.id: str = request["id"]
        self.pid = 0
        self.exit_code: int | None = None
        self.stdio: Stdio | None = None
        self._loop, self._request, self._client, self._on_end = loop, request, client, on_end
        self._pipes: Pipes | None = None
        self._pidfd = -1
        self._birth: Birth
        self._reply: Reply

    @property
    def running(self) -> bool:
        return self.exit_code is None and self.pid > 0

    def begin(self, spec: dict[str, Any], init_pidfd: int, reply: Reply) -> None:
        """Start the process; ``reply`` is called once, with ``{"pid"}`` or an error."""
        self._reply = reply
        self._pipes = None if self._request["tty"] else make_pipes(bool(self._request["stdin"]))
        theirs = self._pipes.theirs if self._pipes else None
        process = _process(spec["process"], self._request)
        channel, child_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        helper = os.fork()
        if not helper:
            channel.close()
            _enter(process, spec["cgroup"]["join"], init_pidfd, child_channel, theirs)
        child_channel.close()
        wire.close_all(theirs or ())
        self._birth = Birth(
            self._loop,
            channel,
            on_created=self._created,
            on_ready=self._ready,
            on_started=self._started,
            on_failed=self._failed,
        )
        os.waitpid(helper, 0)

    def _created(self, message: wire.Message, fds: list[int]) -> None:
        self.pid, (self._pidfd,) = message["created"], fds

    def _ready(self, fds: list[int]) -> None:
        self._connect(fds)
        self._birth.go()

    def _connect(self, fds: list[int]) -> Stdio:
        if fds:
            stdio = Stdio.terminal(self._loop, fds[0])
        elif self._pipes:
            stdin, outputs, _ = self._pipes
            stdio = Stdio(self._loop, stdin=stdin, outputs=outputs, tty=False, end_with_client=True)
        else:
            stdio = Stdio(self._loop, stdin=None, outputs={}, tty=True)
        self.stdio = stdio
        if self._client is not None:
            stdio.attach(self._client, self._request)
        return stdio

    def _started(self) -> None:
        self._reply({"pid": self.pid})
        # Not watched earlier: a command that ends at once must be seen to start first.
        self._loop.watch(self._pidfd, READ, self._exited)

    def _failed(self, message: wire.Message) -> None:
        text = _ERROR_PREFIX + message["error"]["message"]
        self.exit_code = message["exit_code"]
        stdio = self.stdio or self._connect([])
        stdio.tell(text + "\r\n")
        self._reply({"error": type(MuelleError.from_json(message["error"]))(text).to_json()})
        if self._pidfd < 0:
            self._end()
        else:
            self._loop.watch(self._pidfd, READ, self._exited)

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


def _process(container: dict[str, Any], request: wire.Message) -> dict[str, Any]:
    """The process to run: the container's own, changed by what the request names."""
    terminal = ["TERM=xterm"] if request["tty"] else []
    return container | {
        "args": request["args"],
        "env": [*container["env"], *terminal, *request["env"]],
        "cwd": request["cwd"] or container["cwd"],
        "user": request["user"] or container["user"],
        "capabilities": _ALL_CAPABILITIES if request["privileged"] else container["capabilities"],
        "console_size": request["console_size"] or [0, 0],
        "oom_score_adj": 0,
    }


def _enter(
    process: dict[str, Any], cgroups: list[str], pidfd: int, channel: socket.socket, stdio: tuple[int, int, int] | None
) -> NoReturn:
    """Run in the helper: enter the container, make the process, leave."""
    status = 1
    try:
        protect()
        join_cgroups(cgroups)
        libc.setns(pidfd, _NAMESPACES)
        pid, child = libc.clone3(libc.CLONE_PARENT, 0)
        if not pid:
            _run(process, channel, stdio)
        wire.send(channel, {"created": pid}, (child,))
        status = 0
    except BaseException as error:  # nothing may leave this child but os._exit
        report(channel, error)
    finally:
        os._exit(status)


def _run(process: dict[str, Any], channel: socket.socket, stdio: tuple[int, int, int] | None) -> NoReturn:
    status = 1
    try:
        os.setsid()
        if stdio is None:
            master, slave = pty.open_in_container(process["console_size"])
            wire.send(channel, {"ready": True}, (master,))
            pty.take(slave)
            stdio = (slave, slave, slave)
        else:
            wire.send(channel, {"ready": True})
        replace_stdio(stdio)
        message, _ = wire.receive(channel)
        if "go" in message:
            become(process, dies_with_parent=True)
    except BaseException as error:  # nothing may leave this child but os._exit
        status = report(channel, error)
    finally:
        os._exit(status)
