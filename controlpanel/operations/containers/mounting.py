"""What a new container mounts: host paths, volumes made on demand and filled from the image, tmpfs, others' volumes."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from controlpanel.objects import events
from controlpanel.objects.models import Container, Volume
from controlpanel.operations import volumes
from controlpanel.operations.containers import settled
from engine.containers.config import mounts as config_mounts
from engine.containers.config.mounts import MountRequest
from engine.containers.mounts import MountPoint
from engine.errors import InvalidArgument

Mount = dict[str, Any]


class Mounts(NamedTuple):
    """``points`` as stored in ``Container.mounts``; ``volumes`` are the rows that the container will hold."""

    points: list[Mount]
    volumes: list[Volume]


def prepare(config: dict[str, Any], host_config: dict[str, Any], layers: list[str], undo: ExitStack) -> Mounts:
    """Carry out the mount requests of a container that is being created; ``undo`` takes back what they made."""
    points, rows = [], []
    for request in _requests(config, host_config):
        if isinstance(request, dict):
            points.append(request)
            rows += _rows_named(request)
        elif request.type == "volume":
            row = volumes.ensure(request, undo)
            volumes.fill(row, request, layers)
            points.append(_point(request, str(volumes.path(row)), row.name))
            rows.append(row)
        else:
            points.append(_point(request, _bind_source(request), ""))
    return Mounts(points, list({row.pk: row for row in rows}.values()))


def events_of(container: Container, action: str) -> list[events.Event]:
    """``mount`` or ``unmount`` events of the container's volumes."""
    happened = []
    for mount in container.mounts:
        if mount["type"] != "volume":
            continue
        attributes = {"container": container.id}
        if action == "mount":
            attributes |= {
                "destination": mount["target"],
                "driver": "local",
                "propagation": mount.get("propagation") or "",
                "read/write": "false" if mount["read_only"] else "true",
            }
        else:
            attributes |= {"driver": "local"}
        happened.append(events.event("volume", action, mount["name"], attributes))
    return happened


def _requests(config: dict[str, Any], host_config: dict[str, Any]) -> list[MountRequest | Mount]:
    """Precedence by target: what the user names, then volumes-from, then the image's volumes."""
    own = config_mounts.requests({**config, "Volumes": None}, host_config)
    taken = {request.target for request in own}
    inherited = {mount["target"]: mount for mount in _inherited(host_config) if mount["target"] not in taken}
    taken |= inherited.keys()
    rest = [request for request in config_mounts.requests(config, host_config) if request.target not in taken]
    return [*own, *inherited.values(), *rest]


def _inherited(host_config: dict[str, Any]) -> list[Mount]:
    """Volumes and binds of the containers that VolumesFrom names."""
    return [
        {**mount, "read_only": mount["read_only"] or source.read_only}
        for source in config_mounts.volumes_from(host_config)
        for mount in settled.find(source.container).mounts
        if mount["type"] != "tmpfs"
    ]


def _rows_named(mount: Mount) -> list[Volume]:
    return [volumes.find(mount["name"])] if mount["type"] == "volume" else []


def _point(request: MountRequest, source: str, name: str) -> Mount:
    point = MountPoint(
        type=request.type,
        source=source,
        target=request.target,
        read_only=request.read_only,
        propagation=request.propagation,
        options=request.options,
        name=name,
        recursive=request.recursive,
    )
    return {**point._asdict(), "mode": request.mode, "listed": request.listed, "driver": request.driver}


def _bind_source(request: MountRequest) -> str:
    """The host path; Binds make a missing one, as Docker does, Mounts refuse it."""
    if request.type != "bind":
        return ""
    source = Path(request.source)
    if source.exists():
        return request.source
    if not request.create_source:
        raise InvalidArgument(
            f'invalid mount config for type "bind": bind source path does not exist: {request.source}'
        )
    try:
        source.mkdir(parents=True)
    except FileExistsError:
        pass  # a dangling link, or somebody was faster
    except OSError as error:
        raise InvalidArgument(
            f"error while creating mount source path '{request.source}': mkdir {error.filename}: "
            f"{(error.strerror or '').lower()}"
        ) from error
    return request.source
