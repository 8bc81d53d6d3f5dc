"""Forced removals: whoever asked is answered when all has gone, no matter who else meets the container meanwhile."""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connections

from controlpanel.monitor import waiters
from controlpanel.monitor.loop import Monitor
from controlpanel.monitor.reconciler import Reconciler
from controlpanel.objects import events
from controlpanel.objects.models import Container, Volume, Waiter
from controlpanel.objects.states import Status
from controlpanel.operations.containers import remove, start, stop
from controlpanel.operations.images import library
from controlpanel.rpc import outcomes, worker
from controlpanel.rpc.worker import LATER
from engine.containers import container as engine_container
from engine.containers import runtime
from engine.errors import Conflict, MuelleError
from engine.layout import Layout
from tests.controlpanel.operations.conftest import Make, actions, exists, fresh, until

pytestmark = pytest.mark.kernel

CALL = "the-removal"
SUCCESS = {"value": {"changed": True}}
ROUNDS = 20


@pytest.fixture(autouse=True)
def in_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a worker: there is a call, and somebody waits for its answer."""
    monkeypatch.setattr(worker, "current_task", SimpleNamespace(request=SimpleNamespace(id=CALL)))


@contextlib.contextmanager
def between_end_and_removal(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> Iterator[None]:
    """Something happens once the row says exited, and before the monitor looks who waits for that."""
    serve = waiters.serve

    def late(container: Container, known: list[Waiter]) -> None:
        assert fresh(container).status == Status.EXITED
        work()
        serve(container, known)

    with monkeypatch.context() as patch:
        patch.setattr(waiters, "serve", late)
        yield


@contextlib.contextmanager
def started_again_and_again(container: Container) -> Iterator[None]:
    """Somebody else insists, from before the removal is asked for until after its answer."""
    over, began = threading.Event(), threading.Event()

    def insist() -> None:
        try:
            while not over.is_set():
                with contextlib.suppress(MuelleError):
                    start.start(container.id)
                began.set()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        insisting = pool.submit(insist)
        try:
            until(began.is_set)
            yield
        finally:
            over.set()
        insisting.result()


def too_early(_container: Container) -> None:
    """In place of ``start.refuse``: a start that looked just before the removal was asked for."""


@pytest.mark.parametrize("refuse", [start.refuse, too_early])
def test_a_removal_among_starts_succeeds_when_nothing_lives(
    engine: Layout,
    monitor: Monitor,
    make: Make,
    refuse: Callable[[Container], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[tuple[str, Any, bool, list[int]]] = []

    def deliver(call_id: str, answer: Any) -> None:
        told.append((call_id, answer, exists(container.id), runtime.cgroup(engine, container.id).pids()))

    monkeypatch.setattr(outcomes, "deliver", deliver)
    monkeypatch.setattr(start, "refuse", refuse)
    for _ in range(ROUNDS):
        container = make(["sleep", "100"])
        start.start(container.id)
        with started_again_and_again(container):
            assert remove.remove(container.id, force=True) is LATER
            until(lambda: told)
        assert told == [(CALL, SUCCESS, False, [])]
        assert not engine.container(container.id).exists()
        told.clear()


def test_a_start_that_looked_before_the_removal_was_asked_for_finds_that_it_was(
    engine: Layout, reconciler: Reconciler, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "deliver", lambda *_: None)
    monkeypatch.setattr(start, "refuse", too_early)
    container = make(["sleep", "100"])
    start.start(container.id)
    assert remove.remove(container.id, force=True) is LATER
    until(lambda: runtime.exit_of(engine, container.id))
    taken: list[bool] = []
    with between_end_and_removal(monkeypatch, lambda: taken.append(start.take(fresh(container)))):
        reconciler.look(container.id)
    assert taken == [False]
    assert not exists(container.id)


def test_a_removal_that_was_overtaken_goes_on(
    engine: Layout, reconciler: Reconciler, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(outcomes, "deliver", lambda *answer: told.append(answer))
    container = make(["sleep", "100"])
    start.start(container.id)
    assert remove.remove(container.id, force=True) is LATER
    until(lambda: runtime.exit_of(engine, container.id))

    def overtake() -> None:
        """A start that was there before the removal was asked for, and is noticed after it."""
        removal = Waiter.objects.get()
        Waiter.objects.all().delete()
        assert start.start(container.id) == {"changed": True}
        removal.save(force_insert=True)

    with between_end_and_removal(monkeypatch, overtake):
        reconciler.look(container.id)
    assert (fresh(container).status, told) == (Status.RUNNING, [])
    assert Waiter.objects.get().purpose == "remove"
    reconciler.look(container.id)
    until(lambda: runtime.exit_of(engine, container.id))
    reconciler.look(container.id)
    assert not exists(container.id)
    assert told == [(CALL, SUCCESS)]


def test_a_stop_of_the_next_run_waits_for_that_ones_end(
    engine: Layout, reconciler: Reconciler, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who stopped the run that has ended is answered, though somebody has started the container since."""
    told: list[str] = []
    monkeypatch.setattr(outcomes, "deliver", lambda call_id, _answer: told.append(call_id))
    container = make(["sleep", "100"])
    start.start(container.id)
    stop.stop(container.id, timeout=0)
    until(lambda: runtime.exit_of(engine, container.id))

    def start_and_stop() -> None:
        start.start(container.id)
        Waiter.objects.create(container=container, purpose=Waiter.Purpose.STOP, call_id="next")

    with between_end_and_removal(monkeypatch, start_and_stop):
        reconciler.look(container.id)
    assert (fresh(container).status, told) == (Status.RUNNING, [CALL])
    assert [each.call_id for each in Waiter.objects.all()] == ["next"]


@pytest.mark.parametrize("verb", [start.start, stop.restart])
def test_what_is_to_be_removed_by_force_is_not_started(
    engine: Layout,
    reconciler: Reconciler,
    make: Make,
    verb: Callable[[str], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    container = make(["sleep", "100"])
    start.start(container.id)
    assert remove.remove(container.id, force=True) is LATER
    until(lambda: runtime.exit_of(engine, container.id))
    refused: list[str] = []

    def come_late() -> None:
        with pytest.raises(Conflict, match=r"^container is marked for removal and cannot be started$"):
            verb(container.id)
        refused.append(container.id)

    monkeypatch.setattr(outcomes, "deliver", lambda *_: None)
    with between_end_and_removal(monkeypatch, come_late):
        reconciler.look(container.id)
    assert refused
    assert not exists(container.id)


def test_a_forced_removal_is_answered_after_its_volumes_have_gone(
    engine: Layout, reconciler: Reconciler, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = make(["sleep", "100"], config={"Volumes": {"/data": {}}}, Binds=["kept:/kept"])
    directory = engine.volume(Volume.objects.get(anonymous=True).name)
    assert directory.is_dir()
    told: list[tuple[str, Any, list[str], bool]] = []

    def deliver(call_id: str, answer: Any) -> None:
        rows = list(Volume.objects.values_list("name", flat=True))
        told.append((call_id, answer, rows, directory.parent.exists()))

    monkeypatch.setattr(outcomes, "deliver", deliver)
    start.start(container.id)
    assert remove.remove(container.id, force=True, volumes=True) is LATER
    until(lambda: runtime.exit_of(engine, container.id))
    assert told == []
    reconciler.look(container.id)
    assert told == [(CALL, SUCCESS, ["kept"], False)]


def test_a_removal_is_told_before_the_images_files_are_looked_at(
    make: Make, sent: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row is gone by then: whatever fails with the image is not the container's affair."""
    delivered: dict[str, Any] = {}
    monkeypatch.setattr(outcomes, "deliver", delivered.__setitem__)

    def fail(_image_id: str) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(library, "collect", fail)
    container = make(["sleep", "100"])
    Waiter.objects.create(container=container, purpose=Waiter.Purpose.REMOVE, call_id="waits")
    assert remove.remove(container.id) == {"changed": True}
    assert delivered == {"waits": {"value": {"changed": True}}}
    assert actions(sent)[-1] == "container destroy"


def test_a_removal_that_fails_in_any_way_can_be_repeated(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    container = make(["true"])

    def fail(*_: object) -> None:
        raise ValueError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(engine_container, "set_aside", fail)
        with pytest.raises(ValueError, match="a bug"):
            remove.remove(container.id)
    row = fresh(container)
    assert (row.status, row.claim) == (Status.DEAD, "")
    assert row.error == f"unable to remove filesystem for {container.id}: a bug"
    remove.remove(container.id)
    assert not exists(container.id)
