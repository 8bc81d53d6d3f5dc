"""An Engine API without workers: objects in a test database, and a double that records the operations called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from controlpanel.objects.models import Container, Image, ImageReference, Network, Node
from controlpanel.objects.states import Status
from controlpanel.rpc import calls
from controlpanel.rpc.envelope import Caller
from controlpanel.server.scope import Peer
from engine.containers import config
from engine.errors import MuelleError

if TYPE_CHECKING:
    from pytest_django import Settings

NODE = "local"
IMAGE_ID = "sha256:" + "ab" * 32
MakeContainer = Callable[..., Container]


class Workers:
    """Stands for the workers: answers each operation with what a test has set, and remembers the arguments.

    What a view passes has been held against the operation's declaration by then, by the type checker and at run time.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {}

    async def call(
        self, caller: Caller, name: str, queue: str, arguments: Mapping[str, Any], timeout: float | None
    ) -> Any:
        self.calls.append((name, dict(arguments)))
        answer = self.answers[name]
        if isinstance(answer, MuelleError):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def only_the_api(settings: Settings) -> None:
    settings.ROOT_URLCONF = "controlpanel.api.urls"


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    double = Workers()
    monkeypatch.setattr(calls, "call", double.call)
    return double


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Events that would have gone to the broker."""
    sent: list[Any] = []
    monkeypatch.setattr("controlpanel.objects.events.publish_all", sent.extend)
    return sent


@pytest.fixture
def node(db: None) -> Node:
    row, _ = Node.objects.get_or_create(name=NODE)
    Network.objects.seed(NODE, "muelle0")
    return row


@pytest.fixture
def image(node: Node) -> Image:
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"], "Labels": {"from": "image"}},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "cd" * 32]},
        "history": [{"created": "2026-01-02T03:04:05Z", "created_by": "ADD"}],
    }
    row = Image.objects.create(
        node=node,
        project_id="default",
        image_id=IMAGE_ID,
        config=document,
        layers=["l1"],
        size=1000,
        created="2026-01-02T03:04:05Z",
    )
    ImageReference.objects.create(node=node, project_id="default", image=row, name="docker.io/library/busybox:latest")
    return row


@pytest.fixture
def make(image: Image) -> MakeContainer:
    """Make a container row as the create operation does; keywords are columns, ``body`` the create body."""

    def make_container(number: int = 1, body: dict[str, Any] | None = None, **columns: Any) -> Container:
        request = config.decode({"Image": "busybox", **(body or {})})
        config.validate(request, config.Host(2, cgroup_v2=False))
        config.merge_image(request, image.config["config"])
        defaults: dict[str, Any] = {
            "id": f"{number:064x}",
            "node_id": NODE,
            "project_id": "default",
            "name": f"c{number}",
            "image_id": IMAGE_ID,
            "image_name": "busybox",
            "layers": ["l1"],
            "config": request.config,
            "host_config": request.host_config,
            "networking": request.networking["EndpointsConfig"],
            "created_at": f"2026-01-01T00:00:{number % 60:02d}.5Z",
        }
        return Container.objects.create(**{**defaults, **columns})

    return make_container


@pytest.fixture
def running(make: MakeContainer) -> Container:
    return make(7, status=Status.RUNNING, previous_status=Status.RUNNING, pid=4711, started_at="2026-01-01T00:00:08Z")


@pytest.fixture
def api(node: Node, workers: Workers) -> Client:
    """A client on the engine's socket, as root."""
    environment: Any = {"muelle.peer": Peer(1, 0, 0)}
    return Client(raise_request_exception=False, **environment)
