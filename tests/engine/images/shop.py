"""An image store with the files it holds, for tests."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

from engine.images.store import ImageStore, LoadedImage, SavedImage
from tests.support import archives

TOP = archives.files({"top": b"top"})
BASE = archives.files({"base": b"base", "dir/file": b"1234"})
NAME = "docker.io/library/app:1"


@dataclasses.dataclass
class Shop:
    """A store with the files it holds, and its progress messages."""

    root: Path
    store: ImageStore
    messages: list[dict[str, Any]]

    def load(self, data: bytes) -> list[LoadedImage]:
        return self.store.load(io.BytesIO(data), self.messages.append)

    def save(self, *images: SavedImage) -> bytes:
        out = io.BytesIO()
        self.store.save(list(images), out)
        return out.getvalue()

    def files(self) -> set[str]:
        return {path.relative_to(self.root).as_posix() for path in self.root.glob("*/**")} | {
            path.relative_to(self.root).as_posix() for path in self.root.glob("content/sha256/*")
        } | {path.relative_to(self.root).as_posix() for path in self.root.glob("records/*")}  # fmt: skip
