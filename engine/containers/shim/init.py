"""The child that becomes a container's first process, from clone3 to execve.

It talks to `engine.containers.shim.starter` over a SOCK_SEQPACKET pair (`engine.containers.wire`):

    child   → {"created"} + network namespace, netlink socket in it     at once: the network is made while we mount
    child   → {"ready"} + terminal's master (with a terminal)           the root stands
    starter → {"go"}                                                    network and state are in place
    child   → {"error", "exit_code"}                                    on failure; on success execve closes the socket
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from typing import Any, NoReturn

from engine.containers import wire
from engine.containers.shim import console, guards, peers, rootfs
from engine.containers.shim.process import CannotRun, become
from engine.errors import MuelleError, SystemFailure
from engine.kernel import libc, pty

Spec = dict[str, Any]
NETLINK_ROUTE = 0
_SHARED = {"network": "net", "ipc": "ipc", "uts": "uts"}  # names in /proc/PID/ns


def run(spec: Spec, channel: socket.socket, stdio: tuple[int, int, int] | None) -> NoReturn:
    """Become the container. ``stdio`` are descriptors for 0, 1 and 2; None asks for a terminal."""
    status = 1
    try:
        _prepare(spec, channel, stdio)
        become(spec["process"])
    except BaseException as error:  # nothing may leave this child but os._exit
        status = report(channel, error)
    finally:
        os._exit(status)


def report(channel: socket.socket, error: BaseException) -> int:
    """Send a failure to whoever follows the birth, and return the exit code that stands for it."""
    reason = error.strerror if isinstance(error, OSError) else repr(error)  # not the path, which may be the host's
    known = error if isinstance(error, MuelleError) else SystemFailure(f"container init failed: {reason}")
    exit_code = error.exit_code if isinstance(error, CannotRun) else 128
    with contextlib.suppress(OSError):  # the shim may be gone, and with it whoever wanted to know
        wire.send(channel, {"error": known.to_json(), "exit_code": exit_code})
    return exit_code


def failure(text: str) -> wire.Message:
    """What `report` sends, from who notices in its place."""
    return {"error": SystemFailure(text).to_json(), "exit_code": 128}


def _prepare(spec: Spec, channel: socket.socket, stdio: tuple[int, int, int] | None) -> None:
    protect()
    libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
    join_cgroups(spec["cgroup"]["join"])
    namespaces = spec["namespaces"]
    _enter_shared(namespaces)
    _announce(channel, new_network=namespaces["network"] == "private")
    os.setsid()
    if namespaces["uts"] == "private":
        libc.sethostname(spec["hostname"])
        if spec["domainname"]:
            libc.setdomainname(spec["domainname"])
    with _own_cgroup_view(spec):
        rootfs.build(spec["root"])
    _connect_stdio(channel, stdio, spec["process"]["console_size"])
    if stdio and not spec["stdin"]:
        read_nothing()
    message, _ = wire.receive(channel)
    if "go" not in message:
        raise SystemFailure("start was called off")


@contextlib.contextmanager
def _own_cgroup_view(spec: Spec) -> Iterator[None]:
    """What mounts of cgroups show is settled when they are made (cgroup_namespaces(7)): the container's own directory.

    In cgroup v1 that holds for a container in the host's namespace too, which is entered again afterwards.
    """
    private = spec["namespaces"]["cgroup"] == "private"
    if not private and all(mount["type"] != "cgroup" for mount in spec["root"]["mounts"]):
        yield
        return
    host = os.open("/proc/self/ns/cgroup", os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc.unshare(libc.CLONE_NEWCGROUP)
        yield
        if not private:
            libc.setns(host, libc.CLONE_NEWCGROUP)
    finally:
        os.close(host)


def protect() -> None:
    """Forbid the container to trace this process or look at its descriptors before it has become the command.

    Once capabilities are dropped only "not dumpable" stands between; execve makes it dumpable again (ptrace(2)).
    """
    libc.prctl(libc.PR_SET_DUMPABLE, 0)


def join_cgroups(paths: list[str]) -> None:
    """Move this process: "0" stands for the writer in every hierarchy's file."""
    for path in paths:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        os.write(fd, b"0")
        os.close(fd)


def _enter_shared(namespaces: dict[str, Any]) -> None:
    """Enter namespaces of another container, given by its first process."""
    for name, kind in _SHARED.items():
        if isinstance(namespaces[name], dict):
            fd = peers.open_namespace(namespaces[name], kind)
            libc.setns(fd)
            os.close(fd)


def _announce(channel: socket.socket, new_network: bool) -> None:
    if not new_network:
        wire.send(channel, {"created": True})
        return
    namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as netlink:
        wire.send(channel, {"created": True}, (namespace, netlink.fileno()))
    os.close(namespace)


def _connect_stdio(channel: socket.socket, stdio: tuple[int, int, int] | None, size: list[int]) -> None:
    if stdio is None:
        master, slave = pty.open_in_container(size)
        wire.send(channel, {"ready": True}, (master,))
        os.close(master)
        console.make(slave)
        pty.take(slave)
        stdio = (slave, slave, slave)
    else:
        wire.send(channel, {"ready": True})
    replace_stdio(stdio)


def replace_stdio(stdio: tuple[int, int, int]) -> None:
    """Make the descriptors 0, 1 and 2; all others close at execve."""
    for number, fd in enumerate(stdio):
        os.dup2(fd, number)


def read_nothing() -> None:
    """Make descriptor 0 the container's /dev/null: through the host's its mode could be changed (chmod(2)).

    Where a volume lies over it, the end of an empty pipe reads the same.
    """
    fd = guards.read_null()
    if fd is None:
        fd, writer = os.pipe()
        os.close(writer)
    os.dup2(fd, 0)
    os.close(fd)
