"""Users, containers in the database, an event hub that the test feeds, and the page's socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings as project
from django.contrib.auth.models import User
from django.test import Client

from controlpanel.objects.models import Container, Endpoint, Image, ImageReference, Network, Node
from controlpanel.objects.states import Status
from controlpanel.panel.routing import websocket_urlpatterns
from controlpanel.streams import hub

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

PASSWORD = "correct horse battery"
IMAGE_ID = "sha256:" + "ab" * 32
HOST = "panel.example"
MakeContainer = Callable[..., Container]


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_superuser("ada", password=PASSWORD)


@pytest.fixture
def viewer(db: None) -> User:
    return User.objects.create_user("vera", password=PASSWORD)


@pytest.fixture
def node(db: None) -> Node:
    return Node.objects.get_or_create(name=project.MUELLE_NODE)[0]


@pytest.fixture
def image(node: Node) -> Image:
    made = Image.objects.create(
        node=node,
        project_id="default",
        image_id=IMAGE_ID,
        config={},
        layers=["a", "b"],
        size=2048,
        created="2026-01-01T00:00:00Z",
    )
    ImageReference.objects.create(node=node, project_id="default", image=made, name="docker.io/library/busybox:latest")
    return made


@pytest.fixture
def make_container(node: Node) -> MakeContainer:
    def make(name: str, **fields: Any) -> Container:
        values: dict[str, Any] = {
            "image_id": IMAGE_ID,
            "image_name": "busybox",
            "config": {"Cmd": ["sh"], "Tty": False},
            "host_config": {"Memory": 64, "RestartPolicy": {"Name": "always"}},
            "created_at": "2026-01-01T00:00:00Z",
        }
        number = Container.objects.count()
        return Container.objects.create(
            id=f"{number:064x}", node=node, project_id="default", name=name, **(values | fields)
        )

    return make


@pytest.fixture
def running(make_container: MakeContainer) -> Container:
    return make_container("web", status=Status.RUNNING, started_at="2026-01-01T00:00:01Z")


@pytest.fixture
def http() -> Client:
    """A browser without a user. (``client`` is docker-py on a whole installation.)"""
    return Client()


def publish_port(container: Container, ip: str = "172.17.0.2") -> None:
    network, _ = Network.objects.get_or_create(
        node_id=container.node_id, project_id="default", name="bridge", defaults={"id": "f" * 64, "created_at": ""}
    )
    port = {"protocol": "tcp", "host_ip": "0.0.0.0", "host_port": 8080, "container_port": 80}
    Endpoint.objects.create(
        network=network, container=container, endpoint_id="e", ip=ip, host_interface="veth0", ports=[port]
    )


class Events:
    """Stands for the hub: what a test publishes reaches every queue that is joined."""

    def __init__(self) -> None:
        self.queues: list[hub.Queue] = []

    @asynccontextmanager
    async def subscribe(self, _viewer: hub.Viewer) -> AsyncIterator[hub.Queue]:
        queue: hub.Queue = asyncio.Queue()
        self.queues.append(queue)
        try:
            yield queue
        finally:
            self.queues.remove(queue)

    def publish(self, kind: str, action: str, actor: str) -> None:
        event = {"Type": kind, "Action": action, "Actor": {"ID": actor, "Attributes": {}}}
        for queue in self.queues:
            queue.put_nowait(hub.Entry("1-1", event))

    def lose(self) -> None:
        """As after the broker was away."""
        for queue in self.queues:
            queue.put_nowait(None)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    double = Events()
    monkeypatch.setattr(hub, "subscribe", double.subscribe)
    return double


@pytest.fixture(autouse=True)
def nothing_runs_here(settings: Settings, tmp_path: Path) -> None:
    """Paths of an installation of the test's own, and passwords that take no time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MUELLE_LAYOUT = project.MUELLE_LAYOUT._replace(home=tmp_path / "home", run=tmp_path / "run")


def cookie_of(user: User) -> bytes:
    client = Client()
    client.force_login(user)
    name = project.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}".encode()


def connection(cookie: bytes = b"", origin: str = f"http://{HOST}") -> WebsocketCommunicator:
    headers = [(b"host", HOST.encode()), (b"origin", origin.encode()), (b"cookie", cookie)]
    return WebsocketCommunicator(URLRouter(websocket_urlpatterns), "/panel/socket", headers=headers)


class Page:
    """The page's end of an accepted connection."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self.communicator = communicator

    async def send(self, **message: Any) -> None:
        await self.communicator.send_json_to(message)

    async def receive(self, kind: str) -> dict[str, Any]:
        """The next message, which must be of this kind; usage comes at any time and is passed over."""
        while True:
            message: dict[str, Any] = await self.communicator.receive_json_from(timeout=10)
            if message["type"] == kind:
                return message
            assert message["type"] == "containers.usage", message

    async def open(self, channel: int, topic: str, **more: Any) -> None:
        await self.send(type="open", channel=channel, topic=topic, **more)
        assert await self.receive("opened") == {"type": "opened", "channel": channel}


@asynccontextmanager
async def page_of(cookie: bytes) -> AsyncIterator[Page]:
    communicator = connection(cookie)
    accepted, _ = await communicator.connect(timeout=10)
    assert accepted
    page = Page(communicator)
    await page.receive("welcome")
    try:
        yield page
    finally:
        await communicator.disconnect()
