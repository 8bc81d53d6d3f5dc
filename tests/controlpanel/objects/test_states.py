"""The table of moves, and the compare-and-set that follows it."""

from __future__ import annotations

import itertools

import pytest

from controlpanel.objects import states
from controlpanel.objects.models import Container
from controlpanel.objects.states import MOVES, Status
from tests.controlpanel.objects.conftest import MakeContainer


def test_every_state_has_its_moves() -> None:
    assert set(MOVES) == set(Status)


def test_no_state_is_a_trap() -> None:
    """From every state a container can be brought to its removal."""
    reached = {Status.REMOVING}
    for _ in Status:
        reached |= {source for source, targets in MOVES.items() if targets & reached}
    assert reached == set(Status)


def test_a_failed_start_can_go_back_to_where_it_came_from() -> None:
    for source in states.STARTABLE:
        assert source in MOVES[Status.STARTING]


@pytest.mark.parametrize(("source", "target"), list(itertools.product(Status, Status)))
def test_a_move_that_the_table_lacks_is_refused(source: Status, target: Status) -> None:
    if target in MOVES[source]:
        states.check([source], target)
        return
    with pytest.raises(AssertionError):
        states.check([source], target)


def test_the_second_of_two_movers_loses(make: MakeContainer) -> None:
    first = make("web")
    second = Container.objects.get(pk=first.pk)
    assert first.move((Status.CREATED,), Status.STARTING, claim="1:2:")
    assert not second.move((Status.CREATED,), Status.STARTING, claim="3:4:")
    assert Container.objects.get(pk=first.pk).claim == "1:2:"


def test_a_starting_container_shows_the_state_before(make: MakeContainer) -> None:
    container = make("web", status=Status.EXITED)
    container.move((Status.CREATED, Status.EXITED), Status.STARTING)
    stored = Container.objects.get(pk=container.pk)
    assert (stored.status, stored.docker_status, stored.is_running) == ("starting", "exited", False)
    assert container.docker_status == "exited"


def test_an_arrival_forgets_the_mover_and_keeps_the_fields(make: MakeContainer) -> None:
    container = make("web", status=Status.STARTING, claim="1:2:")
    assert container.move((Status.STARTING,), Status.RUNNING, pid=17)
    stored = Container.objects.get(pk=container.pk)
    assert (stored.claim, stored.pid, stored.previous_status) == ("", 17, "running")
    assert container.pid == 17


@pytest.mark.parametrize(
    ("status", "alive", "running"),
    [("running", True, True), ("paused", True, True), ("restarting", False, True), ("exited", False, False)],
)
def test_what_counts_as_running(make: MakeContainer, status: str, alive: bool, running: bool) -> None:
    container = make("web", status=status)
    assert (container.is_alive, container.is_running) == (alive, running)
