"""A Celery worker whose operations are doubles: they move bytes through tickets as the real ones do."""

from __future__ import annotations

import hashlib
import importlib
import os
from typing import Any

import django

from controlpanel.contracts import containers, images
from controlpanel.contracts.containers import PathStat
from controlpanel.contracts.images import SavedImage
from controlpanel.operations import tickets
from controlpanel.rpc.app import app
from engine.errors import InvalidArgument, NotFound

__all__ = ["app"]

# The worker loads the real operations when it starts; a name that is registered already stays as it is. So they are
# loaded now, and those that have a double here are taken out.
django.setup()
importlib.import_module("controlpanel.operations.registry")
app.finalize()
for name in [name for name in app.tasks if name.startswith(("images.", "containers."))]:
    del app.tasks[name]

STAT = PathStat(name="etc", size=4096, mode=2147484141, mtime="2026-01-01T00:00:00Z", linkTarget="")


@images.load.implement
def load(project: str, ticket: str, quiet: bool = False, platform: str | None = None) -> list[str]:
    with tickets.fetch(ticket) as streams:
        digest, size = _digest(streams.body)
        if size == 3:
            raise InvalidArgument("not an archive")
        streams.tell({"stream": f"Loaded {size} bytes {digest} quiet={quiet}\n"})
        if size == 4:
            raise InvalidArgument("bad layer")
    return []


@images.import_.implement
def import_(
    project: str,
    ticket: str,
    config: dict[str, Any],
    comment: str,
    name: str | None = None,
    platform: str | None = None,
) -> str:
    with tickets.fetch(ticket) as streams:
        _, size = _digest(streams.body)
        streams.tell({"status": f"{name} {size} {config.get('Cmd')}"})
    return ""


@images.save.implement
def save(images: list[SavedImage], ticket: str) -> None:
    names = [name for image in images for name in image["names"]]
    with tickets.fetch(ticket) as streams:
        assert streams.reply is not None
        if "docker.io/library/gone:latest" in names:
            raise NotFound("No such image")
        for _ in range(64):
            _write(streams.reply, b"x" * 1024 * 1024)
        if "docker.io/library/broken:latest" in names:
            raise InvalidArgument("a layer is missing")


@containers.archive_stat.implement
def archive_stat(container_id: str, path: str) -> PathStat:
    if path == "/nosuch":
        raise NotFound(f"Could not find the file {path} in container {container_id}")
    return STAT


@containers.archive_get.implement
def archive_get(container_id: str, path: str, ticket: str) -> None:
    with tickets.fetch(ticket) as streams:
        assert streams.reply is not None
        _write(streams.reply, f"archive of {path}".encode())


@containers.archive_put.implement
def archive_put(container_id: str, path: str, ticket: str, no_overwrite_dir_non_dir: bool, copy_uid_gid: bool) -> None:
    with tickets.fetch(ticket) as streams:
        if path == "/ro":
            raise InvalidArgument("container rootfs is marked read-only")
        _digest(streams.body)


@containers.export.implement
def export(container_id: str, ticket: str) -> None:
    with tickets.fetch(ticket) as streams:
        assert streams.reply is not None
        _write(streams.reply, b"export")


def _digest(body: int | None) -> tuple[str, int]:
    assert body is not None
    digest, size = hashlib.sha256(), 0
    while data := os.read(body, 1024 * 1024):
        digest.update(data)
        size += len(data)
    return digest.hexdigest(), size


def _write(reply: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(reply, view) :]
