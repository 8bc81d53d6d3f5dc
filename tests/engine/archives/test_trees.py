"""How large a tree is."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from engine.archives.trees import tree_size


def test_a_hard_link_counts_once_and_a_link_for_itself(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "below/again").hardlink_to(tmp_path / "file")
    (tmp_path / "below/link").symlink_to("/etc/passwd")
    assert tree_size(tmp_path) == 5 + len("/etc/passwd")
    assert tree_size(tmp_path / "none") == 0


def test_many_files_take_no_memory(tmp_path: Path) -> None:
    for number in range(3000):
        (tmp_path / str(number)).touch()
    tree_size(tmp_path)
    tracemalloc.start()
    tree_size(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
