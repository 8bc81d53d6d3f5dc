"""A Celery worker whose operations are doubles: they move bytes through tickets as the real ones do."""

from __future__ import annotations

import hashlib
import importlib
import os
from typing import Any

import django

from controlpanel.operations import tickets
from controlpanel.rpc.app import app
from controlpanel.rpc.worker import operation
from engine.errors import InvalidArgument, NotFound

__all__ = ["app"]

# The worker loads the real operations when it starts; a name that is registered already stays as it is. So they are
# loaded now, and those that have a double here are taken out.
django.setup()
importlib.import_module("controlpanel.operations.registry")
app.finalize()
for name in [name for name in app.tasks if name.startswith(("images.", "containers."))]:
    del app.tasks[name]

STAT = {"name": "etc", "size": 4096, "mode": 2147484141, "mtime": "2026-01-01T00:00:00Z", "linkTarget": ""}


@operation("images.load")
def load(ticket: str, quiet: bool) -> None:
    with tickets.fetch(ticket) as streams:
        digest, size = _digest(streams.body)
        if size == 3:
            raise InvalidArgument("not an archive")
        streams.tell({"stream": f"Loaded {size} bytes {digest} quiet={quiet}\n"})
        if size == 4:
            raise InvalidArgument("bad layer")


@operation("images.import_")
def import_(ticket: str, reference: str | None, config: dict[str, Any]) -> None:
    with tickets.fetch(ticket) as streams:
        _, size = _digest(streams.body)
        streams.tell({"status": f"{reference} {size} {config['config'].get('Cmd')}"})


@operation("images.save")
def save(names: list[str], ticket: str) -> None:
    with tickets.fetch(ticket) as streams:
        assert streams.reply is not None
        if names == ["nosuch"]:
            raise NotFound("No such image: nosuch:latest")
        for _ in range(64):
            _write(streams.reply, b"x" * 1024 * 1024)
        if names == ["broken"]:
            raise InvalidArgument("a layer is missing")


@operation("containers.archive_stat")
def archive_stat(id: str, path: str) -> dict[str, Any]:  # noqa: A002
    if path == "/nosuch":
        raise NotFound(f"Could not find the file {path} in container {id}")
    return STAT


@operation("containers.archive_get")
def archive_get(id: str, path: str, ticket: str) -> None:  # noqa: A002
    with tickets.fetch(ticket) as streams:
        assert streams.reply is not None
        _write(streams.reply, f"archive of {path}".encode())


@operation("containers.archive_put")
def archive_put(id: str, path: str, ticket: str, no_overwrite_dir_non_dir: bool, copy_uid_gid: bool) -> None:  # noqa: A002
    with tickets.fetch(ticket) as streams:
        if path == "/ro":
            raise InvalidArgument("container rootfs is marked read-only")
        _digest(streams.body)


@operation("containers.export")
def export(id: str, ticket: str) -> None:  # noqa: A002
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
