"""Takes an exec session into its container, in two steps, so that the container never meets a process of the engine.

    shim ─┬─ helper    outside the PID namespace: enters everything else, gives up what the command may not have
          └─ command   made by the helper as the shim's child (CLONE_PARENT), inside: a session of its own, execve

Whatever is in a container's PID namespace can be traced and looked at by a process there that has CAP_SYS_PTRACE,
dumpable or not. So the helper becomes all that the command is to be (namespaces, cgroups, user, capabilities, filter,
directory), closes the host's descriptors and blanks command line and environment before it forks.

To the shim the helper says ``{"terminal"}`` + the master, if there is one, or ``{"error", "exit_code"}``, on a
`engine.containers.wire` channel. What happens later is told by a pipe, as `VERDICT`, or by its end without a word.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
from typing import Any, NoReturn

from engine.containers import wire
from engine.containers.shim.init import join_cgroups, protect, read_nothing, replace_stdio, report
from engine.containers.shim.process import Command, prepare
from engine.containers.shim.starter import read_spec
from engine.containers.shim.stdio import Pipes
from engine.errors import Conflict, SystemFailure
from engine.kernel import libc, pty
from engine.kernel.processes import blank_command_line

VERDICT = struct.Struct("ii")  # which step failed, and its errno
FORKING, EXECUTING = 1, 2

_NAMESPACES = (
    libc.CLONE_NEWNS | libc.CLONE_NEWNET | libc.CLONE_NEWIPC | libc.CLONE_NEWUTS | libc.CLONE_NEWCGROUP
    | libc.CLONE_NEWPID
)  # fmt: skip
_ALL_CAPABILITIES = (1 << 64) - 1


def run(
    directory: str,
    request: wire.Message,
    init_pidfd: int,
    channel: socket.socket,
    verdict: int,
    cradle: libc.Cradle,
    pipes: Pipes | None,
) -> NoReturn:
    """Be the helper. Never returns."""
    try:
        protect()
        libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)  # the container's end does not reach it
        spec = read_spec(directory)
        blank_command_line()
        _enter(spec, init_pidfd)
        _connect(request, channel, pipes)
        libc.close_all_but(channel.fileno(), verdict)  # execve will close the pipe
        command = _prepare(_process(spec["process"], request))
        channel.close()
        _fork(command, cradle, verdict, terminal=pipes is None)
    except BaseException as error:  # nothing may leave this child but os._exit
        report(channel, error)
    finally:
        os._exit(0)


def _enter(spec: dict[str, Any], init_pidfd: int) -> None:
    """Enter the container; of its PID namespace children only will be members (setns(2))."""
    try:
        _enter_cgroups(spec["cgroup"]["join"], init_pidfd)
        libc.setns(init_pidfd, _NAMESPACES)
    except OSError as error:
        if error.errno in (errno.ESRCH, errno.ENOENT, errno.ENODEV):
            raise Conflict(f"container {spec['id']} is not running") from error
        raise


def _connect(request: wire.Message, channel: socket.socket, pipes: Pipes | None) -> None:
    """Make the descriptors 0, 1 and 2."""
    if pipes is None:
        master, slave = pty.open_in_container(request["console_size"] or [0, 0])
        wire.send(channel, {"terminal": True}, (master,))
        replace_stdio((slave, slave, slave))
        return
    replace_stdio(pipes.theirs)
    if not request["stdin"]:
        read_nothing()


def _prepare(process: dict[str, Any]) -> Command:
    """A filter that allows the rest is loaded here: the command is never without it.

    One that does not, such as one that forbids to fork, waits for the command, which then needs no_new_privs.
    """
    if process["filter_first"]:
        command = prepare(process)
        if command.filter:
            libc.set_seccomp_filter(command.filter)
        return command._replace(filter=b"")
    return prepare(process | {"no_new_privileges": True})


def _fork(command: Command, cradle: libc.Cradle, verdict: int, *, terminal: bool) -> None:
    try:
        pid = libc.clone(libc.CLONE_PARENT, cradle)
    except OSError as error:
        _tell(verdict, FORKING, error)
    else:
        if not pid:
            _execute(command, verdict, terminal=terminal)
        os.close(verdict)  # not left to exit(2), which gives all memory back first


def _execute(command: Command, verdict: int, *, terminal: bool) -> NoReturn:
    """Be the command: all that is done here is done where the container can see it."""
    try:
        os.setsid()
        if terminal:
            pty.take(0)
        command.execute()
    except OSError as error:
        _tell(verdict, EXECUTING, error)
    finally:
        os._exit(1)


def _tell(verdict: int, step: int, error: OSError) -> None:
    os.write(verdict, VERDICT.pack(step, error.errno or errno.EIO))


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
