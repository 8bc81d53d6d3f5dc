"""An engine without Celery: a launcher of its own, tasks called as functions, a monitor on demand."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from controlpanel.access.scope import Scope
from controlpanel.monitor.loop import Monitor
from controlpanel.monitor.reconciler import Reconciler
from controlpanel.objects import events
from controlpanel.objects.models import Container
from controlpanel.objects.models.projects import DEFAULT
from controlpanel.operations.containers import teardown
from controlpanel.operations.containers.create import create
from controlpanel.operations.images import library
from controlpanel.rpc.worker import Later
from engine.archives.trees import remove_tree
from engine.containers import config, runtime
from engine.containers.config import Host
from engine.layout import Layout
from tests.support.archives import busybox_archive
from tests.support.cleanup import purge

if TYPE_CHECKING:
    from pytest_django import Settings

NODE = "local"
PATIENCE = 20.0
Make = Callable[..., Container]
T = TypeVar("T")


@pytest.fixture(scope="package")
def layout(nothing_left_behind: None) -> Iterator[Layout]:
    """An installation's directories with a launcher at work."""
    root = Path(tempfile.mkdtemp(prefix="muelle-t-"))
    found = Layout(root / "home", root / "run")
    for directory in (found.home, found.run / "shims", found.container("x").parent, found.volumes):
        directory.mkdir(mode=0o710, parents=True)
    command = [sys.executable, "-S", "-m", "engine.containers.shim.launcher", str(found.run), "0"]
    launcher = subprocess.Popen(command)
    try:
        until(found.launcher_socket.exists)
        yield found
    finally:
        launcher.terminate()
        launcher.wait()
        purge(found)
        root.rmdir()


@pytest.fixture
def engine(transactional_db: None, settings: Settings, layout: Layout, sent: list[events.Event]) -> Iterator[Layout]:
    """The busybox image is loaded; at the end no container runs any more, and no volume is left."""
    settings.MUELLE_LAYOUT = layout
    library.store.cache_clear()
    for loaded in library.store().load(io.BytesIO(busybox_archive()), lambda _message: None):
        image = library.record(DEFAULT, loaded)
        for name in loaded.references:
            library.point(name, image)
    yield layout
    for container in Container.objects.all():
        teardown.tear_down(container)
        runtime.delete(layout, container.id)
    for volume in layout.volumes.iterdir():
        remove_tree(volume)
    library.store.cache_clear()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[events.Event]:
    """The events that were published, instead of a broker."""
    happened: list[events.Event] = []
    monkeypatch.setattr(events, "publish_all", happened.extend)
    return happened


@pytest.fixture
def reconciler(engine: Layout) -> Reconciler:
    """The monitor's judgement without its loop: nothing happens unless a test says ``look``. Timers are dropped."""
    return Reconciler(lambda _seconds, _work: None)


@pytest.fixture
def monitor(engine: Layout) -> Iterator[Monitor]:
    """The real monitor in a thread."""
    with watching() as running:
        yield running


@contextlib.contextmanager
def watching() -> Iterator[Monitor]:
    running = Monitor()
    thread = threading.Thread(target=_run, args=[running])
    thread.start()
    try:
        yield running
    finally:
        running.stop()
        thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.fixture
def make(engine: Layout) -> Make:
    """Create a container as the API does: ``make(["sleep", "100"], Memory=…)``; ``Config`` fields by ``config={…}``."""

    def make_container(command: list[str], name: str | None = None, **host_config: Any) -> Container:
        fields = host_config.pop("config", {})
        body = {"Image": "busybox", "Cmd": command, "HostConfig": host_config, **fields}
        request = config.decode(json.loads(json.dumps(body)))
        config.validate(request, Host(2, cgroup_v2=False))
        image = Scope.of_engine().image("busybox", "images.view")
        config.merge_image(request, image.config["config"])
        made = create(
            project=DEFAULT,
            image=image.pk,
            image_name="busybox",
            config=request.config,
            host_config=request.host_config,
            networking=request.networking["EndpointsConfig"],
            volumes_from={},
            name=name,
        )
        return Container.objects.get(pk=at_once(made)["id"])

    return make_container


def until(condition: Callable[[], Any]) -> None:
    """Wait for something that another process brings about."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def at_once(answer: T | Later) -> T:
    """What an operation has returned itself; it leaves nothing to the monitor."""
    assert not isinstance(answer, Later)
    return answer


def fresh(container: Container) -> Container:
    return Container.objects.get(pk=container.pk)


def exists(container_id: str) -> bool:
    return Container.objects.filter(pk=container_id).exists()


def actions(sent: list[events.Event]) -> list[str]:
    """``["container create", …]``."""
    return [f"{event.kind} {event.action}" for event in sent]


def fail_to_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next transaction is not committed; the following ones are."""
    commit = BaseDatabaseWrapper.commit

    def fail(_connection: BaseDatabaseWrapper) -> None:
        monkeypatch.setattr(BaseDatabaseWrapper, "commit", commit)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(BaseDatabaseWrapper, "commit", fail)


def _run(monitor: Monitor) -> None:
    try:
        monitor.run()
    finally:
        connections.close_all()
