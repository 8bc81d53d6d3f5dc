"""Network namespaces as test machines: a host, containers, other hosts. Nothing of the real host is touched.

A socket speaks for the namespace it was made in, whichever process uses it, so tests connect and accept here. A
namespace lives as long as its descriptor.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from engine.kernel import libc

T = TypeVar("T")

PATIENCE = 3.0  # seconds until a packet that should arrive is given up
IMPATIENCE = 0.4  # seconds until a packet that should be dropped is taken for dropped


class Namespace:
    """One network namespace with its loopback up, and a netlink socket inside as the launcher hands it out."""

    def __init__(self, loopback: bool = True) -> None:
        self.descriptor, self.netlink = _make()
        if loopback:
            self.command("ip", "link", "set", "lo", "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
        os.close(self.netlink)

    def call(self, function: Callable[[], T]) -> T:
        """Run a function in a child inside the namespace; its result or exception comes back."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        child = os.fork()
        if child == 0:
            os._exit(self._answer(function, writer))
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            failed, value = pickle.loads(pipe.read())
        os.waitpid(child, 0)
        if failed:
            raise value
        return value  # type: ignore[no-any-return]

    def _answer(self, function: Callable[[], object], writer: int) -> int:
        try:
            libc.setns(self.descriptor, libc.CLONE_NEWNET)
            answer: tuple[bool, object] = (False, function())
        except Exception as error:
            error.add_note(traceback.format_exc())
            answer = (True, error)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(pickle.dumps(answer))
        return 0

    def command(self, *words: str, check: bool = True) -> str:
        """Run a program inside and return what it prints."""
        done = self.call(lambda: subprocess.run(words, capture_output=True, text=True, check=False))
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def sysctl(self, name: str, value: str) -> None:
        self.call(lambda: Path("/proc/sys", name).write_text(value))

    def open(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """A socket of this namespace."""
        ours, theirs = socket.socketpair()
        with ours, theirs:

            def send() -> None:
                with socket.socket(socket.AF_INET, kind) as made:
                    socket.send_fds(theirs, [b"."], [made.fileno()])

            self.call(send)
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        made = socket.socket(fileno=descriptors[0])
        made.settimeout(PATIENCE)
        return made

    def listen(self, port: int, address: str = "0.0.0.0") -> socket.socket:
        server = self.open()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen()
        return server

    def bind(self, port: int, address: str = "0.0.0.0") -> socket.socket:
        server = self.open(socket.SOCK_DGRAM)
        server.bind((address, port))
        return server


def wire(first: Namespace, second: Namespace, subnet: str = "198.51.100") -> tuple[str, str]:
    """Connect two machines by a cable and return their addresses, ``<subnet>.1`` and ``.2``."""
    name = f"lan{subnet.rpartition('.')[2]}"
    first.command("ip", "link", "add", name, "type", "veth", "peer", "name", name, "netns", _path(second))
    for machine, number in ((first, 1), (second, 2)):
        machine.command("ip", "address", "add", f"{subnet}.{number}/24", "dev", name)
        machine.command("ip", "link", "set", name, "up")
    return f"{subnet}.1", f"{subnet}.2"


def tcp(client: Namespace, server: socket.socket, address: str, port: int) -> str:
    """Talk both ways over a new connection; return the client's address as the server sees it."""
    with client.open() as caller:
        caller.connect((address, port))
        connection, (peer, _port) = server.accept()
        with connection:
            connection.settimeout(PATIENCE)
            caller.sendall(b"question")
            assert connection.recv(16) == b"question"
            connection.sendall(b"answer")
            assert caller.recv(16) == b"answer"
    return str(peer)


def udp(client: Namespace, server: socket.socket, address: str, port: int) -> str:
    """Send a datagram and get an answer from the address it was sent to; return the client's address."""
    with client.open(socket.SOCK_DGRAM) as caller:
        caller.connect((address, port))
        caller.send(b"question")
        question, (peer, peer_port) = server.recvfrom(16)
        assert question == b"question"
        server.sendto(b"answer", (peer, peer_port))
        assert caller.recv(16) == b"answer"
    return str(peer)


def unreachable(client: Namespace, address: str, port: int) -> bool:
    with client.open() as caller:
        caller.settimeout(IMPATIENCE)
        try:
            caller.connect((address, port))
        except OSError:
            return True
        return False


def _path(machine: Namespace) -> str:
    return f"/proc/{os.getpid()}/fd/{machine.descriptor}"


def _make() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = os.fork()
        if child == 0:
            os._exit(_send_namespace(theirs))
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 2)
        os.waitpid(child, 0)
    namespace, netlink = descriptors
    return namespace, netlink


def _send_namespace(channel: socket.socket) -> int:
    libc.unshare(libc.CLONE_NEWNET)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
        socket.send_fds(channel, [b"."], [namespace, netlink.fileno()])
    return 0
