"""Importing this module registers every task; a worker does so once, at its start."""

from controlpanel.tasks import system, volumes
from controlpanel.tasks.containers import changing, create, ending, pausing, processes, pruning, removal, sizing, start

__all__ = [
    "changing",
    "create",
    "ending",
    "pausing",
    "processes",
    "pruning",
    "removal",
    "sizing",
    "start",
    "system",
    "volumes",
]
