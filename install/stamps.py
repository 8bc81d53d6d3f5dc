"""Digests of inputs, kept beside the cache, so that a step whose inputs did not change is skipped."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def digest(files: Iterable[Path], *words: str) -> str:
    """SHA-256 over the names and contents of files, in the order of their names, and some words."""
    state = hashlib.sha256()
    for path in sorted(files):
        state.update(f"{path}\0".encode())
        state.update(hashlib.sha256(path.read_bytes()).digest())
    for word in words:
        state.update(f"{word}\0".encode())
    return state.hexdigest()


def unchanged(stamp: Path, value: str) -> bool:
    return stamp.exists() and stamp.read_text() == value


def record(stamp: Path, value: str) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(value)
