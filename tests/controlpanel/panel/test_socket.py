"""The page's WebSocket: who may open it, what its topics say, and when it ends."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError

from controlpanel.access.sockets import ScopeIdentity
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.panel import consumers, listing, sampling
from controlpanel.panel.messages import Incoming
from controlpanel.panel.topics import containers
from controlpanel.panel.usage import Reading
from controlpanel.panel.window import LIMIT
from controlpanel.streams import logs
from engine.containers.logs import Record
from engine.errors import InvalidArgument
from tests.controlpanel.panel.conftest import HOST, Events, MakeContainer, Page, connection, cookie_of, page_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pytest_django import Settings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quiet_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_reader: sampling.Reader) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(sampling.Reader, "read_all", nothing)


@pytest.fixture
def cookie(admin: User) -> bytes:
    return cookie_of(admin)


async def refused(cookie: bytes, **more: Any) -> bool:
    accepted, _ = await connection(cookie, **more).connect(timeout=10)
    return not accepted


async def test_nobody_is_not_let_in() -> None:
    assert await refused(b"")
    assert await refused(b"muelle_session=made-up")


async def test_another_origin_is_not_let_in(cookie: bytes) -> None:
    assert await refused(cookie, origin="https://evil.example")


async def test_behind_tls_a_page_without_it_is_not_let_in(cookie: bytes, settings: Settings) -> None:
    settings.MUELLE_TLS = True
    assert await refused(cookie, origin=f"http://{HOST}")
    assert not await refused(cookie, origin=f"https://{HOST}")


async def test_a_page_learns_version_and_user(cookie: bytes) -> None:
    communicator = connection(cookie)
    await communicator.connect(timeout=10)
    welcome = await communicator.receive_json_from()
    assert (welcome["type"], welcome["user"], welcome["is_admin"]) == ("welcome", "ada", True)
    assert welcome["version"]
    await communicator.disconnect()


async def test_the_list_comes_whole_and_then_changes(
    cookie: bytes, running: Container, make_container: MakeContainer, events: Events
) -> None:
    async with page_of(cookie) as page:
        await page.open(1, "containers")
        whole = await page.receive("containers.all")
        assert [row["name"] for row in whole["containers"]] == ["web"]
        made = await sync_to_async(make_container)("new")
        events.publish("container", "create", made.id)
        changed = await page.receive("containers.changed")
        assert ([row["name"] for row in changed["containers"]], changed["removed"]) == (["new"], [])
        await Container.objects.filter(pk=made.id).adelete()
        events.publish("container", "destroy", made.id)
        changed = await page.receive("containers.changed")
        assert (changed["containers"], changed["removed"]) == ([], [made.id])


async def test_after_a_gap_the_list_comes_whole_again(cookie: bytes, running: Container, events: Events) -> None:
    async with page_of(cookie) as page:
        await page.open(1, "containers")
        await page.receive("containers.all")
        events.lose()
        await page.receive("containers.all")
        await page.receive("images.changed")


async def test_execs_change_nothing_in_the_list(cookie: bytes, running: Container, events: Events) -> None:
    async with page_of(cookie) as page:
        await page.open(1, "containers")
        await page.receive("containers.all")
        events.publish("container", "exec_start: sh", running.id)
        events.publish("image", "tag", "sha256:1")
        await page.receive("images.changed")


async def test_signing_out_ends_the_page(cookie: bytes, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "REFRESH", 0.05)
    communicator = connection(cookie)
    await communicator.connect(timeout=10)
    await User.objects.aupdate(is_active=False)
    while (message := await communicator.receive_output(timeout=10))["type"] != "websocket.close":
        assert message["type"] == "websocket.send"
    assert message["code"] == consumers.CLOSE_SIGNED_OUT


async def test_a_page_outlives_a_database_that_is_away(
    cookie: bytes, running: Container, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = {"list": 0, "user": 0}
    read_list, read_user = listing.containers, ScopeIdentity._read

    def fail(what: str) -> None:
        if failures[what]:
            failures[what] -= 1
            raise OperationalError("server closed the connection unexpectedly")

    def list_or_fail(*arguments: Any) -> Any:
        fail("list")
        return read_list(*arguments)

    def user_or_fail(identity: ScopeIdentity) -> Any:
        fail("user")
        return read_user(identity)

    monkeypatch.setattr(consumers, "REFRESH", 0.02)
    monkeypatch.setattr(containers, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(listing, "containers", list_or_fail)
    monkeypatch.setattr(ScopeIdentity, "_read", user_or_fail)
    async with page_of(cookie) as page:
        await page.open(1, "containers")
        await page.receive("containers.all")
        failures.update(list=2, user=5)
        events.publish("container", "rename", running.id)
        await page.receive("containers.all")
        await page.receive("images.changed")
        while failures["user"]:
            await asyncio.sleep(0.01)
        events.publish("container", "rename", running.id)
        await page.receive("containers.changed")
        await User.objects.aupdate(is_active=False)
        while (message := await page.communicator.receive_output(timeout=10))["type"] != "websocket.close":
            pass
        assert message["code"] == consumers.CLOSE_SIGNED_OUT
    assert not failures["list"]


async def test_who_loses_one_right_loses_its_channels_only(
    cookie: bytes, running: Container, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "REFRESH", 0.05)
    monkeypatch.setattr(consumers.TOPICS["stats"], "action", "containers.exec")
    async with page_of(cookie) as page:
        await page.open(1, "stats", container=running.id)
        await page.receive("stats.history")
        await User.objects.aupdate(is_superuser=False)
        closed = await page.receive("closed")
        assert (closed["channel"], closed["message"]) == (1, "ada is not allowed to exec containers")
        await page.open(2, "containers")
        await page.receive("containers.all")


async def test_a_viewer_gets_no_terminal(viewer: User, running: Container) -> None:
    async with page_of(await sync_to_async(cookie_of)(viewer)) as page:
        await page.send(type="open", channel=1, topic="terminal", container=running.id, command=["sh"])
        closed = await page.receive("closed")
        assert closed["message"] == "vera is not allowed to exec containers"


async def test_a_missing_container_closes_the_channel_only(cookie: bytes, events: Events) -> None:
    async with page_of(cookie) as page:
        await page.open(1, "stats", container="nothing")
        assert (await page.receive("closed"))["message"] == "No such container: nothing"
        await page.open(2, "containers")
        await page.receive("containers.all")


async def test_a_page_that_leaves_while_it_is_written_to_follows_nothing_any_more(
    cookie: bytes, running: Container, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read_all(_reader: sampling.Reader) -> dict[str, Reading]:
        return {running.id: Reading(time.time_ns(), 0, 0, 0, 0, 0, 0, 0, 1)}

    async def never_sent(_page: Any, _channel: int, message: Any) -> None:
        stuck.add(message["type"])
        await asyncio.get_running_loop().create_future()

    stuck: set[str] = set()
    monkeypatch.setattr(sampling.Reader, "read_all", read_all)
    sampler = sampling.sampler()
    monkeypatch.setattr(sampler, "_interval", 0.02)
    communicator = connection(cookie)
    await communicator.connect(timeout=10)
    page = Page(communicator)
    await page.receive("welcome")
    await page.open(1, "stats", container=running.id)
    await page.receive("stats.history")
    await page.open(2, "containers")
    await page.receive("containers.all")
    monkeypatch.setattr(consumers.PanelConsumer, "send_message", never_sent)
    while stuck < {"stats.point", "containers.usage"}:
        await asyncio.sleep(0.01)
    communicator.future.cancel()
    await asyncio.wait({communicator.future})
    assert (events.queues, sampler._listeners) == ([], 0)


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"type": "open"}',
        '{"type": "fly", "channel": 1}',
        '{"type": "open", "channel": 1, "topic": "weather"}',
        '{"type": "open", "channel": -1, "topic": "containers"}',
        '{"type": "open", "channel": true, "topic": "containers"}',
    ],
)
async def test_nonsense_ends_the_connection(cookie: bytes, text: str) -> None:
    communicator = connection(cookie)
    await communicator.connect(timeout=10)
    await communicator.receive_json_from()
    await communicator.send_to(text_data=text)
    assert (await communicator.receive_output(timeout=10))["code"] == consumers.CLOSE_PROTOCOL


async def test_a_channel_that_is_closed_already_is_no_error(cookie: bytes, events: Events) -> None:
    async with page_of(cookie) as page:
        await page.send(type="close", channel=9)
        await page.send(type="confirm", channel=9, bytes=5)
        await page.communicator.send_to(bytes_data=b"\0\0\0\x09x")
        await page.open(1, "containers")


async def test_channels_are_bounded(cookie: bytes, running: Container, events: Events) -> None:
    communicator = connection(cookie)
    await communicator.connect(timeout=10)
    for channel in range(consumers.MAX_CHANNELS + 1):
        await communicator.send_json_to({"type": "open", "channel": channel, "topic": "containers"})
    while (message := await communicator.receive_output(timeout=10))["type"] != "websocket.close":
        pass
    assert message["code"] == consumers.CLOSE_PROTOCOL


class Log:
    """Stands for a container's log: one list of batches for each run."""

    def __init__(self, *runs: list[list[Record]]) -> None:
        self.runs = list(runs)
        self.tails: list[int | None] = []

    async def follow(
        self, container: Container, selection: Any, tail: int | None, *, live: bool = True
    ) -> AsyncGenerator[list[Record], None]:
        self.tails.append(tail)
        for batch in self.runs.pop(0):
            yield batch


def record(number: int, stream: str = "stdout", text: bytes = b"") -> Record:
    return Record(stream, f"2026-01-01T00:00:{number:02}.000000000Z", text or b"line %d\n" % number)


async def test_a_log_goes_on_over_a_restart_without_repeating(
    cookie: bytes, running: Container, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log([[record(1), record(2, "stderr")], [record(3)]], [[record(2), record(3), record(4)]])
    monkeypatch.setattr(logs, "follow", log.follow)
    async with page_of(cookie) as page:
        await page.open(1, "logs", container=running.id, tail=50)
        assert [line[1:] for line in (await page.receive("logs.lines"))["lines"]] == [["o", "line 1"], ["e", "line 2"]]
        assert [line[2] for line in (await page.receive("logs.lines"))["lines"]] == ["line 3"]
        await page.receive("logs.ended")
        await Container.objects.filter(pk=running.id).aupdate(started_at="2026-01-01T01:00:00Z")
        events.publish("container", "start", running.id)
        assert [line[2] for line in (await page.receive("logs.lines"))["lines"]] == ["line 4"]
    assert log.tails[0] == 50


async def test_a_container_without_a_log_says_so(cookie: bytes, make_container: MakeContainer, events: Events) -> None:
    made = await sync_to_async(make_container)("quiet", host_config={"LogConfig": {"Type": "none", "Config": {}}})
    async with page_of(cookie) as page:
        await page.open(1, "logs", container=made.id)
        assert (await page.receive("closed"))["message"] == "configured logging driver does not support reading"


@pytest.mark.parametrize(("oldest", "told"), [(1, True), (2, False), (3, False), (None, False)])
async def test_a_log_says_whether_it_has_older_lines(
    cookie: bytes, running: Container, events: Events, monkeypatch: pytest.MonkeyPatch, oldest: int | None, told: bool
) -> None:
    """(3: the files that began with line 2 were rotated away meanwhile; None: all were.)"""
    if oldest:
        path = settings.MUELLE_LAYOUT.log(running.id)
        path.parent.mkdir(parents=True)
        written = [{"log": f"line {n}\n", "stream": "stdout", "time": record(n).time} for n in range(oldest, 5)]
        path.write_text("".join(f"{json.dumps(each)}\n" for each in written))
    monkeypatch.setattr(logs, "follow", Log([[record(2)], [record(3), record(4)]]).follow)
    async with page_of(cookie) as page:
        await page.open(1, "logs", container=running.id, tail=3)
        if told:
            await page.receive("logs.older")
        for _ in range(2):
            await page.receive("logs.lines")
        await page.receive("logs.ended")


async def test_the_log_of_a_removed_container_closes(
    cookie: bytes, running: Container, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "follow", Log([]).follow)
    async with page_of(cookie) as page:
        await page.open(1, "logs", container=running.id)
        await page.receive("logs.ended")
        events.publish("container", "destroy", running.id)
        assert (await page.receive("closed"))["message"] == "the container was removed"


async def test_a_page_that_confirms_nothing_is_sent_no_more(
    cookie: bytes, running: Container, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = 0

    async def endless(*_: Any, **__: Any) -> AsyncGenerator[list[Record], None]:
        nonlocal sent
        while True:
            sent += 1
            yield [record(1, text=b"x" * 16_000)]

    monkeypatch.setattr(logs, "follow", endless)
    async with page_of(cookie) as page:
        await page.open(1, "logs", container=running.id)
        allowed = LIMIT // 16_000 + 1
        for _ in range(allowed):
            await page.receive("logs.lines")
        assert await page.communicator.receive_nothing()
        assert sent == allowed + 1
        await page.send(type="confirm", channel=1, bytes=64_000)
        await page.receive("logs.lines")


@pytest.mark.parametrize(
    ("line", "text"),
    [(b"plain\n", "plain"), (b"10%\r50%\r99%\r\n", "99%"), (b"\xff\n", "\ufffd"), (b"prompt> ", "prompt> ")],
)
def test_lines_as_people_see_them(line: bytes, text: str) -> None:
    from controlpanel.panel.topics.logs import line_of

    assert line_of(record(1, text=line))[2] == text


def test_incoming_values_are_checked() -> None:
    message = Incoming('{"text": "x", "number": 3, "texts": ["a"], "wrong": [1]}')
    assert (message.text("text"), message.number("number"), message.texts("texts")) == ("x", 3, ["a"])
    for read in (lambda: message.text("number"), lambda: message.number("text"), lambda: message.texts("wrong")):
        with pytest.raises(InvalidArgument):
            read()


def test_status_names_are_those_of_the_page() -> None:
    """``frontend/web/src/lib/protocol.ts`` lists them by hand."""
    assert set(Status.values) == {
        "created", "starting", "running", "paused", "restarting", "exited", "removing", "dead",
    }  # fmt: skip
