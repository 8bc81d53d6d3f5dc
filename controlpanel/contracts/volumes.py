"""Operations on volumes. ``volume`` is the key of a row."""

from __future__ import annotations

from controlpanel.contracts.results import Pruned
from controlpanel.rpc.operation import DISK_SECONDS, Queue, operation


@operation(Queue.DISK)
def create(project: str, name: str | None, driver: str, options: dict[str, str], labels: dict[str, str]) -> str:
    """Make a volume, or find the one of that name (its options and labels stay as they are). Returns its name."""


@operation(Queue.DISK, DISK_SECONDS)
def remove(volume: int) -> None:
    """Remove a volume; Conflict when a container holds it."""


@operation(Queue.DISK, DISK_SECONDS)
def prune(project: str, volumes: list[int]) -> Pruned:
    """Remove those of the volumes that no container holds."""


@operation(Queue.DISK, DISK_SECONDS)
def usage(volumes: list[int]) -> list[int]:
    """Bytes on disk of each; -1 for what is gone."""
