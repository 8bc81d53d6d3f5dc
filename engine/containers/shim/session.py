"""Exec sessions: one more process inside a running container.

The shim's own namespaces stay as they are. It forks a helper; the helper enters the container's namespaces, makes the
process with CLONE_PARENT, so that the shim is its parent and learns its exit status, reports, and goes away.

Messages to the shim: ``{"born": pid}`` + pidfd and the shim's ends of the streams, or ``{"error", "exit_code"}`` with
the pidfd when there was a process.
"""

from __future__ import annotations

import os
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

_NAMESPACES = (
    libc.CLONE_NEWNS
    | libc.CLONE_NEWPID
    | libc.CLONE_NEWNET
    | libc.CLONE_NEWIPC
    | libc.CLONE_NEWUTS
    | libc.CLONE_NEWCGROUP
)
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
        self._channel: socket.socket

    @property
    def running(self) -> bool:
        return self.exit_code is None and self.pid > 0

    def begin(self, directory: str, init_pidfd: int) -> None:
        """Start the process in the container; the requester is answered once, with ``{"pid"}`` or an error."""
        self._channel, helper_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        helper = os.fork()
        if not helper:
            _help(directory, self._request, init_pidfd, helper_channel)
        helper_channel.close()
        self._loop.watch(self._channel.fileno(), READ, lambda _events: self._helper_spoke(helper))
        self._loop.later(_SETUP_SECONDS, lambda: self._expire(helper))

    def _helper_spoke(self, helper: int) -> None:
        try:
            message, fds = wire.receive(self._channel)
        except (OSError, EOFError):
            message, fds = {"error": SystemFailure("the process died during set-up").to_json(), "exit_code": 128}, []
        self._loop.forget(self._channel.fileno())
        self._channel.close()
        if "born" in message:
            self._born(message["born"], fds)
        else:
            self._failed(message, fds)
        reap(helper)  # last: it is still giving its memory back, and the client waits

    def _expire(self, helper: int) -> None:
        """A container can make set-up wait for ever, as with a dead network file system; not us with it."""
        if self._channel.fileno() >= 0:
            os.kill(helper, 9)

    def _born(self, pid: int, fds: list[int]) -> None:
        self.pid, self._pidfd = pid, fds.pop(0)
        self.stdio = Stdio.of(
            self._loop, fds, tty=self._request["tty"], stdin=self._request["stdin"], end_with_client=True
        )
        self._attach_client(self.stdio)
        self._reply({"pid": pid})
        self._loop.watch(self._pidfd, READ, self._exited)

    def _failed(self, message: wire.Message, fds: list[int]) -> None:
        text = _ERROR_PREFIX + message["error"]["message"]
        self.exit_code = message["exit_code"]
        self.stdio = Stdio(self._loop, stdin=None, outputs={}, tty=self._request["tty"])
        self._attach_client(self.stdio)
        self.stdio.tell(text + "\r\n")
        self._reply({"error": type(MuelleError.from_json(message["error"]))(text).to_json()})
        if fds:
            self._pidfd = fds[0]
            self.pid = message["pid"]
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


def _help(directory: str, request: wire.Message, pidfd: int, shim: socket.socket) -> NoReturn:
    """Run in the helper: enter the container, make the process, tell the shim, leave."""
    try:
        protect()
        spec = read_spec(directory)
        pipes = None if request["tty"] else make_pipes(request["stdin"])
        join_cgroups(spec["cgroup"]["join"])
        libc.setns(pidfd, _NAMESPACES)
        channel, child_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid, child = libc.clone3(libc.CLONE_PARENT, 0)
        if not pid:
            _run(_process(spec["process"], request), child_channel, pipes)
        child_channel.close()
        _report_birth(shim, channel, pid, child, pipes)
    except BaseException as error:  # nothing may leave this child but os._exit
        report(shim, error)
    finally:
        os._exit(0)


def _report_birth(shim: socket.socket, channel: socket.socket, pid: int, child: int, pipes: Pipes | None) -> None:
    """Follow the child to its execve: the terminal's master if it has one, then an error or the end of the channel."""
    ends = pipes.ours if pipes else wire.receive(channel)[1]
    try:
        message, _ = wire.receive(channel)
    except EOFError:
        wire.send(shim, {"born": pid}, [child, *ends])
    else:
        wire.send(shim, message | {"pid": pid}, [child])


def _run(process: dict[str, Any], channel: socket.socket, pipes: Pipes | None) -> NoReturn:
    """Run in the child: become the command."""
    status = 1
    try:
        os.setsid()
        if pipes is None:
            master, slave = pty.open_in_container(process["console_size"])
            wire.send(channel, {"terminal": True}, (master,))
            pty.take(slave)
            replace_stdio((slave, slave, slave))
        else:
            replace_stdio(pipes.theirs)
        become(process, dies_with_parent=True)
    except BaseException as error:  # nothing may leave this child but os._exit
        status = report(channel, error)
    finally:
        os._exit(status)
