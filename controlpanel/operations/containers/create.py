"""Creating a container: its row, its directory and its mounts, or nothing of them."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Literal

from django.conf import settings
from django.db import IntegrityError, transaction

from controlpanel.contracts import containers
from controlpanel.contracts.containers import Created
from controlpanel.objects import events
from controlpanel.objects.models import Container, Image, Volume, VolumeUse
from controlpanel.operations.containers import mounting, names, settled
from controlpanel.operations.containers.mounting import Mounts
from controlpanel.rpc.worker import call_id
from engine import rfc3339
from engine.archives.trees import discard_tree
from engine.containers import config as rules
from engine.containers import container as engine_container
from engine.containers import resources, runtime
from engine.containers.config.objects import Config, EndpointSettings, HostConfig
from engine.errors import Conflict, InvalidArgument, NotFound
from engine.undo import undone_on_failure

NAME_ATTEMPTS = 6
NAMESPACE_MODES: tuple[Literal["NetworkMode", "IpcMode", "PidMode"], ...] = ("NetworkMode", "IpcMode", "PidMode")


@containers.create.implement
def create(
    project: str,
    image: int,
    image_name: str,
    config: Config,
    host_config: HostConfig,
    networking: dict[str, EndpointSettings],
    volumes_from: dict[str, str],
    name: str | None = None,
) -> Created:
    """Whatever the request names of other objects has been resolved to IDs; volumes are the project's own."""
    # A killed worker's call goes to another, which finds by the call's ID what there is already.
    container_id = rules.new_id(call_id())
    made = Container.objects.filter(pk=container_id).first()
    if made is not None:
        return _conclude(made)
    found = _image(image, image_name)
    _check_peers(host_config)
    container = Container(
        id=container_id,
        node_id=settings.MUELLE_NODE,
        project_id=project,
        name=name or "",
        image_id=found.image_id,
        image_name=image_name,
        layers=found.layers,
        config=config,
        host_config=host_config,
        networking=networking,
        created_at=rfc3339.now(),
    )
    _name_host(container)
    if name and names.namesakes(container, name).exists():
        raise names.conflict(container, name)
    with undone_on_failure("creation of a container") as undo:
        undo.callback(discard_tree, _prepare(container_id))
        mounts = mounting.prepare(container, volumes_from, undo)
        container.mounts = [mount.to_json() for mount in mounts.points]
        _insert(container, found, mounts, chosen=bool(name))
    return _conclude(container)


def _image(key: int, name: str) -> Image:
    found = Image.objects.filter(node_id=settings.MUELLE_NODE, pk=key).first()
    if found is None:
        raise NotFound(f"No such image: {name}")
    return found


def _conclude(container: Container) -> Created:
    events.publish_all([events.of_container(container, "create")])
    return {"id": container.id, "warnings": _warnings(container)}


def _prepare(container_id: str) -> Path:
    """Make the directory, in the place of what a worker has left of it that was killed before it made the row."""
    discard_tree(settings.MUELLE_LAYOUT.container(container_id))
    return engine_container.prepare(settings.MUELLE_LAYOUT, container_id)


def _insert(container: Container, image: Image, mounts: Mounts, *, chosen: bool) -> None:
    """Insert the row; the unique index decides over the name. Names of our own are tried until one is free."""
    for attempt in range(1 if chosen else NAME_ATTEMPTS):
        if not chosen:
            container.name = names.invent() if attempt < NAME_ATTEMPTS - 1 else names.invent_longer()
        try:
            with transaction.atomic():
                _hold(container, image, mounts)
                container.save(force_insert=True)
                uses = [VolumeUse(volume=volume, container=container) for volume in mounts.volumes]
                VolumeUse.objects.bulk_create(uses)
            return
        except IntegrityError:
            if not names.namesakes(container, container.name).exists():
                raise
            taken = container.name
    raise names.conflict(container, taken)


def _hold(container: Container, image: Image, mounts: Mounts) -> None:
    """Keep what the container needs until the transaction ends: a removal looks for containers in one, too."""
    if Image.objects.select_for_update().filter(pk=image.pk).first() is None:
        raise NotFound(f"No such image: {container.image_name}")
    wanted = {volume.pk: volume.name for volume in mounts.volumes}
    held = Volume.objects.select_for_update().filter(pk__in=wanted).order_by("pk")
    for key in wanted.keys() - {row.pk for row in held}:
        raise Conflict(f"volume {wanted[key]} was removed meanwhile")


def _name_host(container: Container) -> None:
    """The host name: 12 digits of the ID, or the host's own in its network or UTS namespace."""
    host = container.host_config
    if not container.config["Hostname"]:
        shared = host["NetworkMode"] == "host" or host["UTSMode"] == "host"
        container.config["Hostname"] = socket.gethostname() if shared else container.short_id


def _check_peers(host_config: HostConfig) -> None:
    """Whether the containers whose namespaces are to be joined let themselves be joined."""
    for mode in NAMESPACE_MODES:
        kind, _, peer_id = host_config[mode].partition(":")
        if kind != "container":
            continue
        peer = settled.row(peer_id)
        if mode == "IpcMode" and peer.host_config["IpcMode"] not in {"shareable", "host"}:
            raise InvalidArgument(f"cannot join IPC of container {peer.id}: non-shareable IPC")
        if mode == "NetworkMode" and peer.host_config["NetworkMode"].startswith("container:"):
            raise Conflict(f"cannot join network of container {peer.id}: it has joined another's network")


def _warnings(container: Container) -> list[str]:
    group = runtime.cgroup(settings.MUELLE_LAYOUT, container.id)
    return group.unsupported(resources.limits(container.host_config))
