"""A test double of the server: the built page's files, the panel's answers, and the WebSocket in the hand of the test.

The browser's requests are answered inside this process, so a test can show a thousand containers, a log of any length
or a connection that breaks without running anything. Messages have the shapes of ``controlpanel/panel/messages.py``.
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Route, WebSocketRoute

ORIGIN = "http://muelle.test"
CHANNEL = struct.Struct(">I")
Row = dict[str, Any]
# Oldest entry of a row's usage history, in points of two seconds.
HISTORY_POINTS = 60
PATIENCE = 20.0


def identity(number: int) -> str:
    """A container's ID, 64 hexadecimal digits that begin with its number."""
    return f"{number:06x}{'c0ffee' * 10}"[:64]


def container(number: int, name: str, **changes: Any) -> Row:
    """One row of the list as the server would send it: running for an hour, nothing published."""
    made = datetime.now(UTC) - timedelta(hours=1, seconds=number)
    row: Row = {
        "id": identity(number),
        "name": name,
        "image": "busybox:latest",
        "image_id": "sha256:" + identity(1),
        "command": "sh -c 'sleep 600'",
        "status": "running",
        "exit_code": 0,
        "error": "",
        "oom_killed": False,
        "created": made.isoformat(),
        "started": made.isoformat(),
        "finished": "",
        "restarts": 0,
        "restart_policy": "no",
        "auto_remove": False,
        "tty": False,
        "address": "10.77.0.2",
        "ports": [],
        "memory_limit": 0,
    }
    return {**row, **changes}


def stopped(number: int, name: str, code: int, **changes: Any) -> Row:
    ended = (datetime.now(UTC) - timedelta(minutes=9)).isoformat()
    return container(
        number, name, **{"status": "exited", "exit_code": code, "finished": ended, "address": "", **changes}
    )


def port(host: int, inside: int, protocol: str = "tcp", host_ip: str = "0.0.0.0") -> Row:
    return {"host_ip": host_ip, "host_port": host, "container_port": inside, "protocol": protocol}


def fleet(count: int) -> list[Row]:
    """``count`` containers, most of them running, some with ports."""
    rows = []
    for number in range(1, count + 1):
        if number % 7 == 0:
            rows.append(stopped(number, f"job-{number}", number % 3))
        else:
            ports = [port(20000 + number, 80)] if number % 2 else []
            rows.append(container(number, f"web-{number}", image=f"registry.example/team/web:{number}", ports=ports))
    return rows


def point(seed: int = 1, at: float | None = None) -> list[float]:
    """A measurement: time in milliseconds, CPU, memory and its limit, network, disk, processes."""
    now = int((time.time() if at is None else at) * 1000)
    memory = (8 + seed % 90) * 1024 * 1024
    return [now, round((seed * 37 % 400) / 10, 1), memory, 2 * 1024**3, 2048 * (seed % 9), 512, 4096, 1024, 3]


def history(seed: int) -> list[list[float]]:
    now = time.time()
    return [point(seed + step, now - 2 * (HISTORY_POINTS - step)) for step in range(HISTORY_POINTS)]


class Server:
    """What the page sees; tests change the attributes and push messages."""

    def __init__(self, files: Path, policy: str) -> None:
        """``files``: the built page; ``policy``: the Content-Security-Policy it is served with."""
        self.files = files
        self.policy = policy
        self.user: Row | None = {"name": "admin", "is_admin": True}
        self.containers: list[Row] = []
        self.usage: dict[str, list[list[float]]] = {}
        self.lines: list[list[str]] = []
        self.older = False  # the log has lines before these
        self.answers: dict[str, Any] = ANSWERS.copy()
        # Method and path of everything that would change something.
        self.changes: list[tuple[str, str]] = []
        # What came over the WebSocket, terminals' bytes as (channel, bytes).
        self.received: list[Row] = []
        self.typed: list[tuple[int, bytes]] = []
        self.channels: dict[str, int] = {}
        self.socket: WebSocketRoute | None = None
        self.reachable = True

    async def serve(self, context: BrowserContext) -> None:
        await context.route("**/*", self._answer)
        await context.route_web_socket("**/panel/socket", self._connect)

    async def listened_to(self, topic: str) -> None:
        """Wait until the page listens to a topic; it shows itself before."""
        async with asyncio.timeout(PATIENCE):
            while topic not in self.channels:
                await asyncio.sleep(0.01)

    def say(self, topic: str, **message: Any) -> None:
        """Send a message on the newest channel of a topic."""
        self._send({"channel": self.channels[topic], **message})

    def show(self, data: bytes) -> None:
        """Bytes on the newest terminal."""
        assert self.socket is not None
        self.socket.send(CHANNEL.pack(self.channels["terminal"]) + data)

    def change(self, *rows: Row, removed: tuple[str, ...] = ()) -> None:
        """Containers changed; the list that a reload would show changes as well."""
        gone = {*removed, *(row["id"] for row in rows)}
        self.containers = [*rows, *(row for row in self.containers if row["id"] not in gone)]
        self.say("containers", type="containers.changed", containers=list(rows), removed=list(removed))

    def measure(self, seed: int) -> None:
        """A new measurement of every container that runs."""
        running = [row["id"] for row in self.containers if row["status"] == "running"]
        usage = {each: point(seed + index) for index, each in enumerate(running)}
        self.say("containers", type="containers.usage", usage=usage)

    def write(self, lines: list[list[str]]) -> None:
        for start in range(0, len(lines), 500):
            self.say("logs", type="logs.lines", lines=lines[start : start + 500])

    def opened(self, topic: str) -> list[Row]:
        """The requests to open a channel of a topic."""
        return [each for each in self.received if each["type"] == "open" and each["topic"] == topic]

    async def drop(self) -> None:
        """The connection breaks, and stays broken while ``reachable`` is false."""
        assert self.socket is not None
        await self.socket.close(code=1012)

    def _send(self, message: Row) -> None:
        assert self.socket is not None
        self.socket.send(json.dumps(message))

    async def _connect(self, socket: WebSocketRoute) -> None:
        if not self.reachable:
            await socket.close(code=1012)
            return
        self.socket = socket
        socket.on_message(self._receive)
        user = self.user or {"name": "", "is_admin": False}
        self._send({"type": "welcome", "version": "1.0", "node": "local", "user": user["name"], **user})

    def _receive(self, raw: str | bytes) -> None:
        if isinstance(raw, bytes):
            self.typed.append((CHANNEL.unpack_from(raw)[0], raw[CHANNEL.size :]))
            return
        message = json.loads(raw)
        self.received.append(message)
        if message["type"] == "open":
            self.channels[message["topic"]] = message["channel"]
            self.say(message["topic"], type="opened")
            self._begin(message["topic"])

    def _begin(self, topic: str) -> None:
        if topic == "containers":
            self.say(topic, type="containers.all", containers=self.containers, history=self.usage)
        elif topic == "logs":
            if self.older:
                self.say("logs", type="logs.older")
            self.write(self.lines)
        elif topic == "stats":
            self.say(topic, type="stats.history", points=history(7))
        elif topic == "terminal":
            self.show(b"/ # ")

    async def _answer(self, route: Route) -> None:
        request = route.request
        path = urlsplit(request.url).path
        if request.method != "GET":
            self.changes.append((request.method, path))
        if path == "/" or path.startswith("/static/"):
            await self._file(route, path.removeprefix("/static").strip("/") or "index.html")
        elif path == "/panel/session":
            await route.fulfill(json={"user": self.user, "csrf": "token", "version": "1.0", "node": "local"})
        elif f"{request.method} {path}" in self.answers:
            await route.fulfill(json=self.answers[f"{request.method} {path}"])
        elif path in self.answers:
            await route.fulfill(json=self.answers[path])
        elif path.startswith("/containers/") and request.method == "GET":
            await self._inspect(route, path.split("/")[2])
        elif request.method == "GET":
            await route.fulfill(status=404, json={"message": f"no answer for {path}"})
        else:
            await route.fulfill(status=204)

    async def _inspect(self, route: Route, reference: str) -> None:
        for row in self.containers:
            if reference == row["name"] or row["id"].startswith(reference):
                state = {"Status": row["status"], "ExitCode": row["exit_code"], "Paused": False}
                await route.fulfill(json={"Id": row["id"], "Name": f"/{row['name']}", "State": state, "Args": ["a", 1]})
                return
        await route.fulfill(status=404, json={"message": f"No such container: {reference}"})

    async def _file(self, route: Route, name: str) -> None:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"Content-Type": kind, "Content-Security-Policy": self.policy}
        await route.fulfill(body=(self.files / name).read_bytes(), headers=headers)


ANSWERS: dict[str, Any] = {
    "/panel/about": {
        "version": "1.0",
        "node": "local",
        "hostname": "quay",
        "kernel": "6.1.0",
        "architecture": "x86_64",
        "processors": 4,
        "memory": 8 * 1024**3,
        "home": "/var/lib/muelle",
        "socket": "/run/muelle/docker.sock",
        "containers": {"running": 1},
        "images": 2,
    },
    "/info": {
        "Driver": "overlay2",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": "2",
        "OperatingSystem": "Debian GNU/Linux 12",
        "SecurityOptions": [],
        "Warnings": ["no swap limit"],
    },
    "/version": {"ApiVersion": "1.41", "MinAPIVersion": "1.24"},
    "/panel/images": {
        "images": [
            {
                "id": "sha256:" + identity(1),
                "tags": ["busybox:latest"],
                "created": "2026-01-01T00:00:00Z",
                "size": 4_300_000,
                "layers": 1,
                "containers": ["web"],
            },
            {
                "id": "sha256:" + identity(2),
                "tags": [],
                "created": "",
                "size": 900_000_000,
                "layers": 12,
                "containers": [],
            },
        ]
    },
    "/panel/tokens": {
        "tokens": [
            {
                "id": 1,
                "name": "nightly backup",
                "created": "2026-01-01T00:00:00Z",
                "last_used": None,
                "expires": "2099-01-01T00:00:00Z",
            }
        ]
    },
}
