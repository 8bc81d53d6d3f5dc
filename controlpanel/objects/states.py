"""The life of a container: one enum, one table of allowed moves.

    created | exited | restarting ─▶ starting ─▶ running ◀─▶ paused
    running | paused ─▶ exited | restarting
    restarting ─▶ exited
    created | exited | dead ─▶ removing ─▶ dead | (row gone)

A failed start goes back to where it came from, so ``starting`` may move to each state it can be entered from.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import TextChoices


class Status(TextChoices):
    CREATED = "created"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    EXITED = "exited"
    REMOVING = "removing"
    DEAD = "dead"


MOVES: dict[Status, frozenset[Status]] = {
    Status.CREATED: frozenset({Status.STARTING, Status.REMOVING}),
    Status.STARTING: frozenset({Status.RUNNING, Status.CREATED, Status.EXITED, Status.RESTARTING}),
    Status.RUNNING: frozenset({Status.PAUSED, Status.EXITED, Status.RESTARTING}),
    Status.PAUSED: frozenset({Status.RUNNING, Status.EXITED, Status.RESTARTING}),
    Status.RESTARTING: frozenset({Status.STARTING, Status.EXITED}),
    Status.EXITED: frozenset({Status.STARTING, Status.REMOVING}),
    Status.REMOVING: frozenset({Status.DEAD}),
    Status.DEAD: frozenset({Status.REMOVING}),
}

# A process of the container exists.
ALIVE = frozenset({Status.RUNNING, Status.PAUSED})
# Docker's State.Running: it counts a container that waits for its next automatic start.
RUNNING_FOR_DOCKER = ALIVE | {Status.RESTARTING}
# Somebody works on the row at this moment; whoever finds its claim void repairs it.
TRANSIENT = frozenset({Status.STARTING, Status.REMOVING})
STARTABLE = frozenset({Status.CREATED, Status.EXITED, Status.RESTARTING})
REMOVABLE = frozenset({Status.CREATED, Status.EXITED, Status.DEAD})


def shown(status: str, previous: str) -> str:
    """Docker's state, for which nobody is on the way to somewhere: ``starting`` is the state before it."""
    return previous if status == Status.STARTING else status


def check(sources: Iterable[Status], target: Status) -> None:
    """Refuse a move that the table does not have: a programming error, found by the first test that takes it."""
    for source in sources:
        if target not in MOVES[source]:
            raise AssertionError(f"no move from {source} to {target}")
