"""What archives are made of in these tests, and the box that they are unpacked into."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.archives.extraction import Policy, extract
from engine.archives.limits import Limits
from tests.support.archives import layer, member

LAYER = Policy(whiteouts=True, unique=True, top=True)
Member = tuple[tarfile.TarInfo, bytes]


def file(name: str, content: bytes = b"x", **fields: object) -> Member:
    return member(name, **fields), content  # type: ignore[arg-type]


def directory(name: str, mode: int = 0o755) -> Member:
    return member(name, tarfile.DIRTYPE, mode), b""


def symlink(name: str, target: str) -> Member:
    return member(name, tarfile.SYMTYPE, linkname=target), b""


def hard_link(name: str, target: str) -> Member:
    return member(name, tarfile.LNKTYPE, linkname=target), b""


class Box:
    """A directory to unpack into, with a witness beside it that must never change."""

    def __init__(self, path: Path) -> None:
        self.path, self.root, self.witness = path, path / "root", path / "witness"
        self.root.mkdir()
        self.witness.mkdir()
        (self.witness / "file").write_text("untouched")

    def extract(self, *members: Member, policy: Policy = LAYER, limits: Limits | None = None) -> int:
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return extract(io.BytesIO(layer(members)), fd, policy, limits or Limits(reserve=0))
        finally:
            os.close(fd)

    def untouched(self) -> bool:
        names = sorted(path.relative_to(self.path).as_posix() for path in self.path.iterdir())
        content = [path.name for path in self.witness.iterdir()]
        return (
            names == ["root", "witness"] and content == ["file"] and (self.witness / "file").read_text() == "untouched"
        )


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    assert box.untouched()
