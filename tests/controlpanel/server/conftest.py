"""One server with an application of its own for the whole room."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.layout import Layout
from tests.controlpanel.streams.service import PATIENCE, eventually, spawned
from tests.support.installation import free_port


class Server(NamedTuple):
    layout: Layout
    port: int
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def get(self, path: str, connect: Connect | None = None) -> socket.socket:
        """A connection on which ``path`` was asked for."""
        sock = (connect or self.unix)()
        sock.sendall(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        return sock

    def objects(self) -> int:
        with self.get("/objects") as sock:
            return int(sock.recv(1000).partition(b"\r\n\r\n")[2])

    def counts(self) -> dict[str, int]:
        with self.get("/counts") as sock:
            counts: dict[str, int] = json.loads(sock.recv(1000).partition(b"\r\n\r\n")[2])
            return counts

    def unix(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE)
        sock.connect(str(self.layout.docker_socket))
        return sock

    def tcp(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def noted(self, name: str) -> str:
        """What the application wrote into a file of the run directory, once it has; the file is removed."""
        path = self.layout.run / name
        text: str = eventually(lambda: path.read_text() if path.exists() else "", name)
        path.unlink()
        return text


@contextmanager
def started(**limits: float) -> Iterator[Server]:
    """A server with other limits than ``Limits`` has by itself."""
    root = Path(tempfile.mkdtemp(prefix="muelle-d-"))
    layout, port = Layout(root / "home", root / "run"), free_port()
    environment = {
        **os.environ,
        "MUELLE_HOME": str(layout.home),
        "MUELLE_RUN": str(layout.run),
        "MUELLE_BIND": f"127.0.0.1:{port}",
        "ECHO_LIMITS": json.dumps(limits),
    }
    try:
        with spawned([sys.executable, "-m", "tests.controlpanel.server.echo"], environment) as process:
            server = Server(layout, port, process)
            eventually(lambda: _listens(server), "the start of the server")
            yield server
    finally:
        shutil.rmtree(root)


@pytest.fixture(scope="package")
def server(nothing_left_behind: None) -> Iterator[Server]:
    with started() as server:
        yield server


Connect = Callable[[], socket.socket]


@pytest.fixture(params=["unix", "tcp"])
def connect(server: Server, request: pytest.FixtureRequest) -> Connect:
    """Connects to the server, once by each kind of socket."""
    chosen: Connect = getattr(server, request.param)
    return chosen


def _listens(server: Server) -> bool:
    with socket.socket(socket.AF_UNIX) as unix, socket.socket() as tcp:
        path, address = str(server.layout.docker_socket), ("127.0.0.1", server.port)
        return unix.connect_ex(path) == tcp.connect_ex(address) == 0


def read_all(sock: socket.socket) -> bytes:
    """Until the server closes."""
    chunks = []
    while chunk := sock.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)
