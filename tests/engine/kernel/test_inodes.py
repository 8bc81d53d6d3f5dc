"""Where file systems put what comes and goes by the thousand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.containers import container
from engine.images.store import ImageStore
from engine.kernel import inodes
from engine.layout import Layout

pytestmark = pytest.mark.kernel


@pytest.fixture
def taken(tmp_path: Path) -> None:
    """On a file system that has the flag."""
    (tmp_path / "other").mkdir()
    try:
        assert not inodes.is_spread(tmp_path / "other")
        inodes.spread(tmp_path / "other")
    except OSError:
        pytest.skip("no flags on this file system")
    if not inodes.is_spread(tmp_path / "other"):
        pytest.skip("a file system that takes no such flag")


@pytest.mark.usefixtures("taken")
def test_images_lie_far_from_what_was_just_removed(tmp_path: Path) -> None:
    for _ in range(2):  # once made, it is opened again
        ImageStore(tmp_path / "store")
        assert inodes.is_spread(tmp_path / "store/tmp")


@pytest.mark.usefixtures("taken")
def test_containers_lie_far_from_what_was_just_removed(tmp_path: Path) -> None:
    for _ in range(2):
        made = container.prepare(Layout(tmp_path / "home", tmp_path / "run"), os.urandom(32).hex())
        assert inodes.is_spread(made.parent)
        assert not inodes.is_spread(made)


def test_file_systems_without_flags_are_left_alone() -> None:
    inodes.spread(Path("/proc"))
