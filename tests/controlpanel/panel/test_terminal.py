"""A terminal's way: page, socket pair, shim. The shim is a double that speaks the real protocol."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

from controlpanel.objects import events as object_events
from controlpanel.objects.models import Container, Exec
from controlpanel.panel import consumers
from controlpanel.panel.messages import CHANNEL
from controlpanel.panel.topics import terminal
from controlpanel.streams import typed
from engine.containers import wire
from engine.errors import InvalidArgument
from tests.controlpanel.panel.conftest import Events, Page, connection, cookie_of, page_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db(transaction=True)


class Shim:
    """Takes one exec and hands its end of the terminal to the test; answers everything else with what it knows."""

    def __init__(self, container: Container) -> None:
        path = settings.MUELLE_LAYOUT.shim_socket(container.id)
        path.parent.mkdir(parents=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(path))
        self.listener.listen()
        self.requests: list[dict[str, Any]] = []
        self.error: dict[str, Any] | None = None
        self.terminal: socket.socket | None = None
        self.begun, self.resized, self.fits = threading.Event(), threading.Event(), threading.Event()
        self.answers = threading.Event()
        self.answers.set()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                message, fds = wire.receive(peer)
                self.requests.append(message)
                wire.send(peer, self._answer(message, fds))

    def _answer(self, message: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        if message["op"] == "exec_state":
            return {"running": False, "exit_code": 3, "pid": 0}
        if message["op"] == "exec":
            if self.error:
                wire.close_all(fds)
                return {"error": self.error}
            self.terminal = socket.socket(fileno=fds[0])
            self.begun.set()
        elif message["op"] == "resize":
            self.resized.set()
            self.answers.wait(10)
            if message["height"] == 52:
                self.fits.set()
        return {}

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        if self.terminal:
            self.terminal.close()


@pytest.fixture
def shim(running: Container) -> Iterator[Shim]:
    double = Shim(running)
    yield double
    double.close()


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    sent: list[Any] = []
    monkeypatch.setattr(object_events, "publish_all", sent.extend)
    return sent


@pytest.fixture
def cookie(admin: User) -> bytes:
    return cookie_of(admin)


async def open_terminal(page: Page, container: Container, shim: Shim) -> socket.socket:
    await page.open(7, "terminal", container=container.id, command=["sh", "-l"], user="nobody", rows=30, columns=100)
    await asyncio.to_thread(shim.begun.wait, 10)
    assert shim.terminal is not None
    shim.terminal.settimeout(10)
    return shim.terminal


def read(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := end.recv(size - len(data))):
        data += piece
    return data


async def test_bytes_go_both_ways(cookie: bytes, running: Container, shim: Shim, published: list[Any]) -> None:
    async with page_of(cookie) as page:
        end = await open_terminal(page, running, shim)
        request = shim.requests[0]
        assert (request["args"], request["user"], request["tty"]) == (["sh", "-l"], "nobody", True)
        assert request["console_size"] == [30, 100]
        end.sendall(b"\xffpro\0mpt# ")
        assert await page.communicator.receive_from(timeout=10) == CHANNEL.pack(7) + b"\xffpro\0mpt# "
        await page.communicator.send_to(bytes_data=CHANNEL.pack(7) + b"ls\r")
        assert await asyncio.to_thread(read, end, 3) == b"ls\r"
    assert [event.action for event in published] == ["exec_create: sh -l", "exec_start: sh -l"]


async def test_a_large_paste_arrives_whole(cookie: bytes, running: Container, shim: Shim) -> None:
    paste = bytes(range(256)) * 4096
    async with page_of(cookie) as page:
        end = await open_terminal(page, running, shim)
        for start in range(0, len(paste), 32_768):
            await page.communicator.send_to(bytes_data=CHANNEL.pack(7) + paste[start : start + 32_768])
        assert await asyncio.to_thread(read, end, len(paste)) == paste


async def test_a_process_that_never_reads_loses_its_terminal(
    cookie: bytes, running: Container, shim: Shim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typed, "LIMIT", 64 * 1024)
    async with page_of(cookie) as page:
        await open_terminal(page, running, shim)
        for _ in range(40):
            await page.communicator.send_to(bytes_data=CHANNEL.pack(7) + b"x" * 32_768)
        assert (await page.receive("closed"))["message"] == "the process does not read what is typed"


async def test_too_much_that_was_typed_before_the_process_runs_ends_its_terminal(
    cookie: bytes, running: Container, shim: Shim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typed, "LIMIT", 64 * 1024)
    async with page_of(cookie) as page:
        await page.open(7, "terminal", container=running.id, command=["sh"])
        for _ in range(3):
            await page.communicator.send_to(bytes_data=CHANNEL.pack(7) + b"x" * 32_768)
        assert (await page.receive("closed"))["message"] == "the process does not read what is typed"


async def test_a_process_that_never_reads_does_not_hold_the_page_up(
    cookie: bytes, running: Container, shim: Shim, events: Events
) -> None:
    """Closing its terminal waits for nobody, and hanging up for a moment only."""
    async with page_of(cookie) as page:
        end = await open_terminal(page, running, shim)
        for _ in range(40):
            await page.communicator.send_to(bytes_data=CHANNEL.pack(7) + b"x" * 32_768)
        await asyncio.sleep(0.1)
        await page.send(type="close", channel=7)
        await page.open(7, "containers")
        await page.receive("containers.all")
        async with asyncio.timeout(2 * terminal.HANG_UP_SECONDS):
            await asyncio.to_thread(read, end, 40 * 32_768 + 100)


async def test_a_shim_that_does_not_answer_does_not_hold_the_page_up(
    cookie: bytes, running: Container, shim: Shim, events: Events
) -> None:
    async with page_of(cookie) as page:
        end = await open_terminal(page, running, shim)
        shim.answers.clear()
        await page.send(type="resize", channel=7, rows=50, columns=132)
        await asyncio.to_thread(shim.resized.wait, 10)
        for rows in (51, 52):
            await page.send(type="resize", channel=7, rows=rows, columns=132)
        await page.open(1, "containers")
        await page.receive("containers.all")
        shim.answers.set()
        await asyncio.to_thread(shim.fits.wait, 10)
        end.close()
        await page.receive("closed")
    assert [(request["height"], request["width"]) for request in shim.requests[1:3]] == [(50, 132), (52, 132)]


async def test_a_page_whose_handler_waits_leaves_nothing(
    cookie: bytes, running: Container, shim: Shim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Channels does not tell the consumer of its client's departure, the server cancels it after a while."""
    stuck = asyncio.Event()

    async def receive(*_: Any, **__: Any) -> None:
        stuck.set()
        await asyncio.get_running_loop().create_future()

    before = asyncio.all_tasks()
    async with asyncio.timeout(20):
        communicator = connection(cookie)
        await communicator.connect(timeout=10)
        page = Page(communicator)
        await page.receive("welcome")
        end = await open_terminal(page, running, shim)
        monkeypatch.setattr(consumers.PanelConsumer, "receive", receive)
        await communicator.send_to(bytes_data=CHANNEL.pack(7) + b"x")
        await stuck.wait()
        communicator.future.cancel()
        await asyncio.wait({communicator.future})
        assert await asyncio.to_thread(read, end, 100) == terminal.HANG_UP
    assert asyncio.all_tasks() <= before


async def test_the_end_tells_the_exit_code(cookie: bytes, running: Container, shim: Shim) -> None:
    async with page_of(cookie) as page:
        end = await open_terminal(page, running, shim)
        end.close()
        closed = await page.receive("closed")
        assert (closed["message"], closed["exit_code"]) == ("", 3)


async def test_a_resize_reaches_the_shim(cookie: bytes, running: Container, shim: Shim) -> None:
    async with page_of(cookie) as page:
        end = await open_terminal(page, running, shim)
        await page.send(type="resize", channel=7, rows=50, columns=132)
        await asyncio.to_thread(shim.resized.wait, 10)
        end.close()
        await page.receive("closed")
    resize = shim.requests[1]
    assert (resize["height"], resize["width"], resize["exec"]) == (50, 132, shim.requests[0]["id"])


async def test_a_page_that_leaves_hangs_up(cookie: bytes, running: Container, shim: Shim) -> None:
    async with page_of(cookie) as page:
        end = await open_terminal(page, running, shim)
    assert await asyncio.to_thread(read, end, 100) == terminal.HANG_UP


async def test_a_command_that_cannot_start_leaves_no_row(cookie: bytes, running: Container, shim: Shim) -> None:
    shim.error = InvalidArgument("no such file").to_json()
    async with page_of(cookie) as page:
        await page.open(7, "terminal", container=running.id, command=["nothing"])
        assert (await page.receive("closed"))["message"] == "no such file"
    assert not await Exec.objects.aexists()


async def test_a_stopped_container_has_no_terminal(cookie: bytes, running: Container) -> None:
    await Container.objects.aupdate(status="exited")
    async with page_of(cookie) as page:
        await page.open(7, "terminal", container=running.id, command=["sh"])
        assert "is not running" in (await page.receive("closed"))["message"]


@pytest.mark.parametrize("command", [[], "sh", [1], ["x"] * 65])
async def test_a_malformed_command_is_refused(cookie: bytes, running: Container, command: Any) -> None:
    async with page_of(cookie) as page:
        await page.open(7, "terminal", container=running.id, command=command)
        assert "command" in (await page.receive("closed"))["message"]
