"""One server with an application of its own for the whole room."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.layout import Layout
from tests.controlpanel.streams.service import PATIENCE, eventually, spawned
from tests.support.installation import free_port


class Server(NamedTuple):
    layout: Layout
    port: int
    pid: int

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


@pytest.fixture(scope="package")
def server(nothing_left_behind: None) -> Iterator[Server]:
    root = Path(tempfile.mkdtemp(prefix="muelle-d-"))
    layout, port = Layout(root / "home", root / "run"), free_port()
    environment = {
        **os.environ,
        "MUELLE_HOME": str(layout.home),
        "MUELLE_RUN": str(layout.run),
        "MUELLE_BIND": f"127.0.0.1:{port}",
    }
    try:
        with spawned([sys.executable, "-m", "tests.controlpanel.server.echo"], environment) as process:
            started = Server(layout, port, process.pid)
            eventually(lambda: _listens(started), "the start of the server")
            yield started
    finally:
        shutil.rmtree(root)


Connect = Callable[[], socket.socket]


@pytest.fixture(params=["unix", "tcp"])
def connect(server: Server, request: pytest.FixtureRequest) -> Connect:
    """Connects to the server, once by each kind of socket."""
    chosen: Connect = getattr(server, request.param)
    return chosen


def _listens(server: Server) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(server.layout.docker_socket)) == 0


def read_all(sock: socket.socket) -> bytes:
    """Until the server closes."""
    chunks = []
    while chunk := sock.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)
