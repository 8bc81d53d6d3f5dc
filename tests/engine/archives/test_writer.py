"""Writing a tree that somebody hostile made."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from pathlib import Path

import pytest

from engine.archives.streams import Sink
from engine.archives.trees import remove_tree
from engine.archives.writer import TreeWriter


def _deepen(top: Path, levels: int) -> None:
    """Deeper than any path can say: each level is made from the one above."""
    fd = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d" * 100, dir_fd=fd)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)


def _written(top: Path) -> list[str]:
    with tempfile.TemporaryFile() as out:
        writer = TreeWriter(Sink(out.fileno()))
        writer.add_tree(str(top), "top")
        writer.finish()
        out.seek(0)
        with tarfile.open(fileobj=io.BytesIO(out.read())) as archive:
            return archive.getnames()


def test_what_is_too_deep_for_a_path_is_left_out(tmp_path: Path) -> None:
    """As in Docker. The rest of the tree is there: nobody keeps others from an export by a deep directory."""
    top = tmp_path / "top"
    top.mkdir()
    _deepen(top, 60)
    (top / "file").write_text("x")
    names = _written(top)
    remove_tree(top)
    assert names[-1] == "top/file"
    assert len(names) < 45


def test_names_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\xfe")).write_text("x")
    assert _written(tmp_path) == ["top", os.fsdecode(b"top/\xff\xfe")]


def test_what_vanishes_is_left_out_but_not_in_silence_when_it_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _written(tmp_path / "gone")
