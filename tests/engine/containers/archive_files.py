"""The operations of docker cp, export and diff on one container, with bytes instead of descriptors."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.containers import archive, runtime
from engine.containers.archive import Target
from tests.support.archives import layer

if TYPE_CHECKING:
    from tests.engine.containers.conftest import Container

LAYER = "busybox"
SLEEP = ("sh", "-c", "trap exit TERM; while :; do sleep 0.1; done")
Member = tuple[tarfile.TarInfo, bytes]


class Files:
    """The operations on one container, with bytes instead of descriptors."""

    def __init__(self, container: Container, **fields: Any) -> None:
        layout = container.layout
        state = runtime.state(layout, container.id) if fields.pop("running", False) else None
        identity = {"pid": state.pid, "start_time": state.start_time} if state else {"pid": None}
        fields = {
            "layer_dirs": [LAYER],
            "mounts": [],
            "name": "box",
            **identity,
            **fields,
        }
        self.target = Target(layout, container.id, **fields)

    def stat(self, path: str) -> dict[str, Any]:
        return archive.stat(self.target, path)

    def get(self, path: str) -> dict[str, Member]:
        return _members(lambda out: archive.get(self.target, path, out))

    def export(self) -> dict[str, Member]:
        return _members(lambda out: archive.export(self.target, out))

    def put(self, path: str, *members: Member, raw: bytes | None = None, **options: bool) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(layer(members) if raw is None else raw)
            file.seek(0)
            archive.put(self.target, path, file.fileno(), **options)

    def changes(self) -> dict[str, str]:
        return {change["Path"]: "CAD"[change["Kind"]] for change in archive.changes(self.target)}


def _members(write: Callable[[int], object]) -> dict[str, Member]:
    with tempfile.TemporaryFile() as file:
        write(file.fileno())
        file.seek(0)
        with tarfile.open(fileobj=file) as tar:
            return {info.name: (info, tar.extractfile(info).read() if info.isreg() else b"") for info in tar}  # type: ignore[union-attr]
