"""Files of a container: cp both ways, export, diff. Bytes go through a ticket's descriptors."""

# ruff: noqa: A002  # ``id`` is the name on the wire

from __future__ import annotations

from typing import Any

from django.conf import settings

from controlpanel.objects import events
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.operations import tickets
from controlpanel.operations.containers import settled
from controlpanel.rpc.worker import operation
from engine.containers import archive, runtime
from engine.containers.archive import Target
from engine.containers.mounts import MountPoint
from engine.errors import Conflict, InvalidArgument


@operation("containers.archive_stat")
def archive_stat(id: str, path: str) -> dict[str, Any]:
    """Docker's stat of a path: ``{"name", "size", "mode", "mtime", "linkTarget"}``."""
    return archive.stat(_target(settled.find_settled(id)), path)


@operation("containers.archive_get")
def archive_get(id: str, path: str, ticket: str) -> None:
    """Write a tar of ``path`` to the ticket's reply."""
    container = settled.find_settled(id)
    with tickets.fetch(ticket) as streams:
        archive.get(_target(container), path, _needed(streams.reply))
    events.publish_all([events.of_container(container, "archive-path")])


@operation("containers.archive_put")
def archive_put(
    id: str, path: str, ticket: str, no_overwrite_dir_non_dir: bool = False, copy_uid_gid: bool = False
) -> None:
    """Unpack the ticket's body into the directory ``path``."""
    container = settled.find_settled(id)
    with tickets.fetch(ticket) as streams:
        archive.put(_target(container), path, _needed(streams.body), no_overwrite_dir_non_dir, copy_uid_gid)
    events.publish_all([events.of_container(container, "extract-to-dir")])


@operation("containers.export")
def export(id: str, ticket: str) -> None:
    """Write the root file system, without volumes, as a tar to the ticket's reply."""
    container = settled.find_settled(id)
    with tickets.fetch(ticket) as streams:
        archive.export(_target(container), _needed(streams.reply))
    events.publish_all([events.of_container(container, "export")])


@operation("containers.changes")
def changes(id: str) -> list[dict[str, Any]]:
    """Docker's list of ``{"Path", "Kind"}``: 0 modified, 1 added, 2 deleted."""
    return archive.changes(_target(settled.find_settled(id)))


def _target(container: Container) -> Target:
    if container.status in {Status.REMOVING, Status.DEAD}:
        raise Conflict(f"container {container.id} is marked for removal")
    state = runtime.state(settings.MUELLE_LAYOUT, container.id) if container.is_alive else None
    return Target(
        settings.MUELLE_LAYOUT,
        container.id,
        state.pid if state else None,
        container.layers[::-1],
        [MountPoint.from_json(mount) for mount in container.mounts],
        read_only=bool(container.host_config.get("ReadonlyRootfs")),
        name=container.name,
        start_time=state.start_time if state else None,
        user=container.config.get("User") or "",
    )


def _needed(descriptor: int | None) -> int:
    if descriptor is None:
        raise InvalidArgument("the ticket has no descriptor for this direction")
    return descriptor
