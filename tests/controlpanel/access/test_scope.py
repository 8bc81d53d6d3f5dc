"""One door to objects: every route, stream and operation is walked, and none reaches an object beside the scope.

The walk asks as somebody who may do everything, but sees one project of two. What lies in the other must be missing
everywhere: 404 where it is named, absent where things are listed, unheard where things happen, unknown to any worker.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver

from controlpanel import contracts, urls
from controlpanel.access import policy
from controlpanel.access.policy import Principal
from controlpanel.access.scope import Scope
from controlpanel.contracts import containers, images, system, volumes
from controlpanel.objects import models
from controlpanel.objects.models import Container, Exec, Image, ImageReference, Network, Node, Project, Volume
from controlpanel.objects.states import Status
from controlpanel.rest.views import EngineView, NotBuiltView
from controlpanel.rpc import calls
from controlpanel.rpc.envelope import Caller
from controlpanel.rpc.operation import Operation
from controlpanel.server.scope import Peer
from engine.containers import config
from engine.errors import Forbidden, NotFound

CONTROLPANEL = Path(contracts.__file__).parent.parent
MINE, THEIRS = "mine", "theirs"
ALL_OF_IT: dict[str, Any] = {"muelle.peer": Peer(1, 0, 0)}
# Rooms that may ask a model's manager: the scope itself, and what works by whole IDs that came through it.
BEHIND_THE_DOOR = ("objects", "access/scope.py", "access/models.py", "operations", "monitor", "rpc/orphans.py")
ALLOWED_BESIDE = {
    # The row of a session that the scope has found, or that was just made; a token belongs to its user alone.
    "streams/execs.py": {"Exec"},
    "access/authentication.py": {"AccessToken"},
    "access/signin.py": {"FailedSignIn"},
    "panel/accounts.py": {"AccessToken"},
}


@pytest.fixture(autouse=True)
def one_project_is_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "visible_projects", lambda _principal: frozenset({MINE}))


class Objects:
    """One of each kind in a project, under the names that the other project's have, too."""

    def __init__(self, node: Node, project: str, number: int) -> None:
        Project.objects.get_or_create(slug=project)
        owner: dict[str, Any] = {"node": node, "project_id": project}
        request = config.decode({"Image": "web", "Cmd": ["true"]})
        config.validate(request, config.Host(2, cgroup_v2=False))
        made = {"created_at": "2026-01-01T00:00:00Z"}
        self.image = Image.objects.create(image_id=f"sha256:{number:064x}", config={}, created="", **owner)
        ImageReference.objects.create(image=self.image, name="docker.io/library/web:latest", **owner)
        self.container = Container.objects.create(
            id=f"{number:064x}", name="web", image_id=self.image.image_id, image_name="web", status=Status.RUNNING,
            previous_status=Status.RUNNING, config=request.config, host_config=request.host_config, **made, **owner,
        )  # fmt: skip
        self.network = Network.objects.create(id=f"{number + 16:064x}", name="web", **made, **owner)
        self.volume = Volume.objects.create(name="web", **made, **owner)
        self.exec = Exec.objects.create(
            id=f"{number + 32:064x}", container=self.container, config=config.decode_exec({"Cmd": ["true"]}), created=1
        )

    @property
    def identities(self) -> set[str]:
        return {self.image.image_id, self.container.id, self.network.id, self.exec.id}


@pytest.fixture
def node(db: None) -> Node:
    row, _ = Node.objects.get_or_create(name="local")
    Project.objects.get_or_create(slug="default")
    Network.objects.seed("local", "muelle0")
    return row


@pytest.fixture
def mine(node: Node) -> Objects:
    return Objects(node, MINE, 0x1A)


@pytest.fixture
def theirs(node: Node) -> Objects:
    return Objects(node, THEIRS, 0x2B)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Mapping[str, Any]]]:
    """The operations that workers were asked for."""
    seen: list[tuple[str, Mapping[str, Any]]] = []

    async def call(_caller: Caller, name: str, _queue: str, arguments: Mapping[str, Any], _timeout: object) -> Any:
        seen.append((name, arguments))
        return {"deleted": [], "reclaimed": 0, "records": [], "changed": True, "warnings": []}

    monkeypatch.setattr(calls, "call", call)
    monkeypatch.setattr("controlpanel.objects.events.publish_all", lambda _events: None)
    return seen


def routes(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, type[EngineView]]]:
    """The paths of all guarded routes, as patterns, with their views."""
    for pattern in patterns:
        text = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, text)
        elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "view_class"):
            yield text, pattern.callback.view_class


def named() -> list[tuple[str, str, str]]:
    """Method, path and kind of each route that names an object: ``("POST", "/containers/{}/start", "container")``."""
    found = []
    for text, view in routes(urls.urlpatterns):
        place = re.search(r"\(\?P<(?:reference|name)>[^)]*\)|<str:reference>", text)
        if place is None or issubclass(view, NotBuiltView) or "plugins" in text:
            continue
        path = "/" + re.sub(r"\$$", "", text.replace(place[0], "{}").replace("^", ""))
        kind = {"c": "container", "e": "exec", "i": "image", "n": "network", "v": "volume", "p": "container"}[path[1]]
        found += [(method, path, kind) for method in view.actions]
    return found


# What a request needs besides the path, to come as far as the look-up.
BODIES = {
    "connect": {"Container": "web"}, "disconnect": {"Container": "web"}, "exec": {"Cmd": ["true"]},
    "update": {"Memory": 2**26}, "start": {"Detach": True},
}  # fmt: skip
QUERY = "?path=/&h=1&w=1&stdout=1&repo=a&tag=b&name=new&fromSrc=-&stream=0"


def ask(method: str, path: str) -> Any:
    verb = path.rpartition("/")[2]
    body = BODIES.get(verb) if not path.startswith("/containers") or verb != "start" else None
    client = Client(raise_request_exception=False)
    text = json.dumps(body) if body else ""
    return client.generic(method, path + QUERY, text, content_type="application/json" if body else "", **ALL_OF_IT)


def test_the_walk_covers_the_api() -> None:
    assert len(named()) >= 35
    assert {kind for _, _, kind in named()} == {"container", "exec", "image", "network", "volume"}


@pytest.mark.parametrize(("method", "path", "kind"), named(), ids=lambda each: each)
def test_what_is_not_visible_is_missing(
    theirs: Objects, asked: list[tuple[str, Mapping[str, Any]]], method: str, path: str, kind: str
) -> None:
    names = {"web", *([theirs.container.id, theirs.container.id[:62]] if kind == "container" else [])}
    names = {theirs.exec.id} if kind == "exec" else names
    for name in names:
        force = path == "/volumes/{}" and method == "DELETE"
        answer = ask(method, path.format(name))
        if method == "PUT" and path.startswith("/volumes"):
            assert answer.status_code == 503  # no cluster volumes, whatever the name
        elif not force:
            assert answer.status_code == 404, (path, answer.content)
    assert asked == [], "a worker was asked for what its caller does not see"


@pytest.mark.parametrize(("method", "path", "kind"), named(), ids=lambda each: each)
def test_one_answer_for_missing_and_for_invisible(theirs: Objects, method: str, path: str, kind: str) -> None:
    """The text must not tell them apart either."""
    name = theirs.exec.id if kind == "exec" else "web"
    other = "f" * 64 if kind == "exec" else "nosuch"
    hidden, missing = ask(method, path.format(name)), ask(method, path.format(other))
    assert hidden.status_code == missing.status_code
    assert hidden.content.replace(name.encode(), b"X") == missing.content.replace(other.encode(), b"X")


LISTS = ("/containers/json?all=1", "/images/json", "/networks", "/volumes", "/system/df", "/panel/containers")


@pytest.mark.parametrize("path", LISTS)
def test_lists_have_only_what_is_visible(
    mine: Objects, theirs: Objects, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async def call(_caller: Caller, name: str, _queue: str, arguments: Mapping[str, Any], _timeout: object) -> Any:
        answers: dict[str, Any] = {"volumes.usage": [1] * len(arguments.get("volumes", []))}
        return answers.get(name, {key: {"rw": 1, "rootfs": 1} for key in arguments.get("container_ids", [])})

    monkeypatch.setattr(calls, "call", call)
    environment = {} if path.startswith("/panel") else ALL_OF_IT
    client = Client()
    if not environment:
        from django.contrib.auth.models import User

        client.force_login(User.objects.create_superuser("ada"))
    text = client.get(path, **environment).content.decode()
    assert any(identity in text for identity in mine.identities) or '"web"' in text
    assert not [identity for identity in theirs.identities if identity in text]
    assert text.count('"Name":"web"') <= 1


@pytest.mark.parametrize("kind", ["containers", "images", "volumes"])
def test_prune_names_only_what_is_visible(
    mine: Objects, theirs: Objects, asked: list[tuple[str, Mapping[str, Any]]], kind: str
) -> None:
    Container.objects.update(status=Status.EXITED)
    everything = {"images": '?filters={"dangling":["false"]}', "volumes": '?filters={"all":["true"]}'}.get(kind, "")
    Client().post(f"/{kind}/prune{everything}", **ALL_OF_IT)
    [(_, arguments)] = asked
    chosen = {"containers": [mine.container.id], "images": [mine.image.pk], "volumes": [mine.volume.pk]}[kind]
    assert arguments[{"containers": "container_ids"}.get(kind, kind)] == chosen


def test_a_name_means_the_own_object(mine: Objects, theirs: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "visible_projects", lambda _principal: None)
    scope = Scope(policy.ENGINE, "local", THEIRS)
    assert scope.container("web", "containers.view") == theirs.container
    assert scope.network("web", "networks.view") == theirs.network
    assert scope.volume("web", "volumes.view") == theirs.volume
    assert scope.image("web", "images.view") == theirs.image
    with pytest.raises(Exception, match=r"multiple IDs|several projects|ambiguous"):
        Scope(policy.ENGINE, "local").container("web", "containers.view")


def test_what_is_visible_and_not_allowed_is_refused(mine: Objects) -> None:
    viewer = Principal("vera", policy.Source.SESSION, is_admin=False, user_id=1)
    scope = Scope(viewer, "local", MINE)
    assert scope.container("web", "containers.view") == mine.container
    with pytest.raises(Forbidden, match="vera is not allowed to stop containers"):
        scope.container("web", "containers.stop")
    with pytest.raises(NotFound):
        scope.container("nosuch", "containers.stop")


def test_another_nodes_objects_are_missing(mine: Objects) -> None:
    Node.objects.create(name="elsewhere")
    with pytest.raises(NotFound):
        Scope(policy.ENGINE, "elsewhere", MINE).container("web", "containers.view")


def test_events_of_another_project_are_not_seen() -> None:
    scope = Scope(policy.ENGINE, "local")
    assert [scope.sees(project) for project in (MINE, THEIRS, "")] == [True, False, True]


# Laws of the source


def managers_asked(path: Path) -> set[str]:
    """The models whose ``objects`` a module asks."""
    known = set(models.__all__) | {"AccessToken", "FailedSignIn"}
    return {
        node.value.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in {"objects", "_default_manager", "_base_manager"}
        and isinstance(node.value, ast.Name)
        and node.value.id in known
    }


def test_nobody_asks_a_model_beside_the_scope() -> None:
    beside = {}
    for path in CONTROLPANEL.rglob("*.py"):
        name = str(path.relative_to(CONTROLPANEL))
        if not name.startswith(BEHIND_THE_DOOR):
            beside[name] = managers_asked(path) - ALLOWED_BESIDE.get(name, set())
    assert {name: found for name, found in beside.items() if found} == {}


def operations() -> list[Operation[..., Any]]:
    modules = [containers, images, volumes, system]
    return [each for module in modules for each in vars(module).values() if isinstance(each, Operation)]


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.name)
def test_operations_take_whole_ids(operation: Operation[..., Any]) -> None:
    """No argument is a reference to be looked up: a worker has no scope."""
    parameters = operation.signature.parameters
    assert not {"reference", "id", "names", "filters"} & parameters.keys()
    for name in {"container_id", "container_ids"} & parameters.keys():
        assert parameters[name].annotation in {"str", "list[str]"}
    for name in {"image", "images", "volume", "volumes"} & parameters.keys() - {"volumes"}:
        assert parameters[name].annotation in {"int", "list[int]", "list[SavedImage]"}


def test_no_worker_looks_a_reference_up() -> None:
    """``find`` reads names and beginnings of IDs; a worker may find a volume by its name in its container's project."""
    for path in (CONTROLPANEL / "operations").rglob("*.py"):
        tree = ast.parse(path.read_text())
        finds = [
            ast.unparse(node)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "find"
        ]
        assert all("project" in text for text in finds), (path, finds)


def test_every_operation_is_implemented_by_the_type_that_it_declares() -> None:
    """Arguments by name, as they travel."""
    from controlpanel.operations import registry
    from controlpanel.rpc.app import app

    assert registry.MODULES
    for operation in operations():
        assert operation.name in app.tasks, operation.name
        assert inspect.signature(app.tasks[operation.name].run).parameters.keys() == {"envelope", "arguments"}
