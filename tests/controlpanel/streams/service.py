"""A web process on a scratch directory, with a real broker and database; shims, launcher and workers are doubles."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from redis import Redis

from controlpanel.objects.events import FIELD, Event
from engine.layout import Layout
from install.broker import program
from tests.support.installation import free_port

CHECKOUT = Path(__file__).resolve().parents[3]
PATIENCE = 20.0


class Service(NamedTuple):
    layout: Layout
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    seeder: subprocess.Popen[bytes]

    def seed(self, row: dict[str, Any]) -> None:
        """Insert a row: ``{"model": "Container", fields…}`` (see ``seed.py``)."""
        assert self.seeder.stdin is not None
        assert self.seeder.stdout is not None
        self.seeder.stdin.write(json.dumps(row).encode() + b"\n")
        self.seeder.stdin.flush()
        assert self.seeder.stdout.readline() == b"\n", "the row was not inserted"

    def update(self, table: str, key: str, **fields: Any) -> None:
        """Change a row as another process would."""
        assignments = ", ".join(f"{name} = ?" for name in fields)
        with sqlite3.connect(self.layout.database, timeout=10) as database:
            database.execute(f"UPDATE objects_{table} SET {assignments} WHERE id = ?", [*fields.values(), key])

    def fetch(self, table: str, key: str, *columns: str) -> tuple[Any, ...]:
        with sqlite3.connect(self.layout.database, timeout=10) as database:
            query = f"SELECT {', '.join(columns)} FROM objects_{table} WHERE id = ?"
            row: tuple[Any, ...] = database.execute(query, [key]).fetchone()
            return row

    def publish(self, kind: str, action: str, actor_id: str, **attributes: str) -> None:
        event = Event(kind, action, actor_id, attributes, time.time_ns())
        with Redis(unix_socket_path=str(self.layout.broker_socket)) as client:
            client.xadd("muelle:local:events", {FIELD: json.dumps(event.to_json())})

    def connect(self, tcp: bool = False) -> socket.socket:
        """A raw connection to the server."""
        if tcp:
            return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE)
        sock.connect(str(self.layout.docker_socket))
        return sock

    @property
    def docker_host(self) -> str:
        return f"unix://{self.layout.docker_socket}"

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def connections(self) -> int:
        """Open sockets and pipes; database files belong to threads, which come and stay."""
        count = 0
        for path in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                count += str(path.readlink()).startswith(("socket:", "pipe:"))
        return count


@contextmanager
def running(root: Path) -> Iterator[Service]:
    layout = Layout(root / "home", root / "run")
    port = free_port()
    environment = {
        **os.environ,
        "MUELLE_HOME": str(layout.home),
        "MUELLE_RUN": str(layout.run),
        "MUELLE_BIND": f"127.0.0.1:{port}",
        # The scratch directory belongs to whoever runs the tests.
        "MUELLE_USER": "root" if os.geteuid() == 0 else "",
        "PYTHONPATH": str(CHECKOUT),
    }
    for directory in (layout.database.parent, layout.run / "shims"):
        directory.mkdir(parents=True)
    with ExitStack() as stack:
        stack.enter_context(broker(layout))
        manage = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(manage, cwd=CHECKOUT, env=environment, check=True)
        process = stack.enter_context(spawned([sys.executable, "-m", "controlpanel.web"], environment))
        seeder = stack.enter_context(_seeder(environment))
        service = Service(layout, port, environment, process, seeder)
        eventually(lambda: layout.docker_socket.exists() and _answers(service))
        yield service


@contextmanager
def _seeder(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.controlpanel.streams.seed"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


@contextmanager
def broker(layout: Layout) -> Iterator[None]:
    words = ["--port", "0", "--unixsocket", str(layout.broker_socket), "--save", "", "--appendonly", "no"]
    with spawned([str(program()), *words, "--dir", str(layout.run), "--loglevel", "warning"], dict(os.environ)):
        eventually(lambda: layout.broker_socket.exists())
        yield


@contextmanager
def spawned(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone afterwards."""
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def eventually(condition: Callable[[], Any], what: str = "the condition") -> Any:
    """Wait for something that another process does, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true"
        time.sleep(0.01)
    return value


def _answers(service: Service) -> bool:
    try:
        with service.connect() as sock:
            sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return bool(sock.recv(100))
    except OSError:
        return False
