"""A store of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.images.store import ImageStore
from tests.engine.images.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    root = tmp_path / "images"
    yield Shop(root, ImageStore(root), [])
    assert not list((root / "tmp").iterdir())
