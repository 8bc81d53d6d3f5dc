"""Files of a container: cp both ways, export, diff. Bytes go through a ticket's descriptors."""

from __future__ import annotations

from typing import cast

from django.conf import settings

from controlpanel.contracts import containers
from controlpanel.contracts.containers import Change, PathStat
from controlpanel.objects import events
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.operations import tickets
from controlpanel.operations.containers import mounting, settled
from engine.containers import archive, runtime
from engine.containers.archive import Target
from engine.errors import Conflict


@containers.archive_stat.implement
def archive_stat(container_id: str, path: str) -> PathStat:
    return cast("PathStat", archive.stat(_target(settled.container(container_id)), path))


@containers.archive_get.implement
def archive_get(container_id: str, path: str, ticket: str) -> None:
    container = settled.container(container_id)
    with tickets.fetch(ticket) as streams:
        archive.get(_target(container), path, tickets.needed(streams.reply))
    events.publish_all([events.of_container(container, "archive-path")])


@containers.archive_put.implement
def archive_put(container_id: str, path: str, ticket: str, no_overwrite_dir_non_dir: bool, copy_uid_gid: bool) -> None:
    container = settled.container(container_id)
    with tickets.fetch(ticket) as streams:
        archive.put(_target(container), path, tickets.needed(streams.body), no_overwrite_dir_non_dir, copy_uid_gid)
    events.publish_all([events.of_container(container, "extract-to-dir")])


@containers.export.implement
def export(container_id: str, ticket: str) -> None:
    container = settled.container(container_id)
    with tickets.fetch(ticket) as streams:
        archive.export(_target(container), tickets.needed(streams.reply))
    events.publish_all([events.of_container(container, "export")])


@containers.changes.implement
def changes(container_id: str) -> list[Change]:
    return cast("list[Change]", archive.changes(_target(settled.container(container_id))))


def _target(container: Container) -> Target:
    if container.status in {Status.REMOVING, Status.DEAD}:
        raise Conflict(f"container {container.id} is marked for removal")
    state = runtime.state(settings.MUELLE_LAYOUT, container.id) if container.is_alive else None
    return Target(
        settings.MUELLE_LAYOUT,
        container.id,
        state.pid if state else None,
        container.layers[::-1],
        mounting.mounts_of(container),
        read_only=container.host_config["ReadonlyRootfs"],
        name=container.name,
        start_time=state.start_time if state else None,
        user=container.config["User"],
    )
