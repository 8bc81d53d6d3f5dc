"""What a new container mounts: the engine makes it, this room keeps count of the volumes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import NamedTuple

from django.conf import settings

from controlpanel.objects import events
from controlpanel.objects.models import Container, Volume
from controlpanel.operations import volumes
from controlpanel.operations.containers import settled
from engine.containers import mounting
from engine.containers.config.mounts import Mount, MountRequest


class Mounts(NamedTuple):
    """``points`` become ``Container.mounts``; ``volumes`` are the rows that the container will hold."""

    points: list[Mount]
    volumes: list[Volume]


def prepare(container: Container, volumes_from: Mapping[str, str], undo: ExitStack) -> Mounts:
    """Carry out the mount requests of a container that is being created; ``undo`` takes back what they made.

    ``volumes_from`` has the IDs of the containers that its VolumesFrom names.
    """
    points: list[Mount] = []
    rows: dict[int, Volume] = {}
    wishes = mounting.wanted(
        container.config, container.host_config, lambda name: mounts_of(settled.row(volumes_from[name]))
    )
    for wish in wishes:
        mount, row = _carry_out(container, wish, undo)
        points.append(mount)
        if row is not None:
            rows[row.pk] = row
    return Mounts(points, list(rows.values()))


def mounts_of(container: Container) -> list[Mount]:
    return [Mount.from_json(mount) for mount in container.mounts]


def events_of(container: Container, action: str) -> list[events.Event]:
    """``mount`` or ``unmount`` events of the container's volumes."""
    happened = []
    for mount in mounts_of(container):
        if mount.type != "volume":
            continue
        attributes = {"container": container.id}
        if action == "mount":
            attributes |= {
                "destination": mount.target,
                "driver": mount.driver,
                "propagation": mount.propagation,
                "read/write": "false" if mount.read_only else "true",
            }
        else:
            attributes |= {"driver": mount.driver}
        happened.append(events.event("volume", action, mount.name, attributes, container.project_id))
    return happened


def _carry_out(container: Container, wish: Mount | MountRequest, undo: ExitStack) -> tuple[Mount, Volume | None]:
    if isinstance(wish, Mount):  # of another container of the project
        return wish, volumes.find(container.project_id, wish.name) if wish.type == "volume" else None
    if wish.type == "volume":
        row = volumes.ensure(container.project_id, wish, undo)
        made = mounting.volume(settings.MUELLE_LAYOUT, wish, row.directory, container.layers[::-1])
        return made._replace(name=row.name), row
    return mounting.bind(wish) if wish.type == "bind" else mounting.tmpfs(wish), None
