"""Results that several operations have in common."""

from __future__ import annotations

from typing import TypedDict


class Changed(TypedDict):
    """``changed`` is false when the object was so already (304)."""

    changed: bool


class Warned(TypedDict):
    """Docker's warning texts."""

    warnings: list[str]


class Pruned(TypedDict):
    """IDs or names of what was removed, and the bytes on disk that this gave back."""

    deleted: list[str]
    reclaimed: int
