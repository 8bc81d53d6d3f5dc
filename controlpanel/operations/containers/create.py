"""Creating a container: its row, its directory and its mounts, or nothing of them."""

from __future__ import annotations

import shutil
import socket
from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from controlpanel.objects import events, times
from controlpanel.objects.models import Container, Image, VolumeUse
from controlpanel.operations.containers import mounting, names, settled
from controlpanel.operations.containers.mounting import Mounts
from controlpanel.rpc.worker import operation
from engine.containers import config as rules
from engine.containers import runtime
from engine.errors import Conflict, InvalidArgument, NotFound
from engine.kernel.cgroups import Resources

NAME_ATTEMPTS = 6
NAMESPACE_MODES = ("NetworkMode", "IpcMode", "PidMode")


@operation("containers.create")
def create(
    config: dict[str, Any],
    host_config: dict[str, Any],
    networking: dict[str, Any],
    image_id: str,
    image_name: str,
    name: str | None = None,
    platform: str | None = None,  # checked against the image where the image was chosen
) -> dict[str, Any]:
    """Create a container from checked, complete objects; returns ``{"id", "warnings"}``. Conflict: name taken."""
    image = Image.objects.filter(node_id=settings.MUELLE_NODE, image_id=image_id).first()
    if image is None:
        raise NotFound(f"No such image: {image_name}")
    _resolve_peers(host_config)
    container = Container(
        id=rules.new_id(),
        node_id=settings.MUELLE_NODE,
        name=name or "",
        image_id=image_id,
        image_name=image_name,
        layers=image.layers,
        config=config,
        host_config=host_config,
        networking=networking,
        created_at=times.now(),
    )
    _name_host(container)
    if name and Container.objects.filter(node_id=container.node_id, name=name).exists():
        raise names.conflict(container.node_id, name)
    with ExitStack() as undo:
        _make_directory(container, undo)
        mounts = mounting.prepare(config, host_config, container.layers, undo)
        container.mounts = mounts.points
        _insert(container, mounts, chosen=bool(name))
        undo.pop_all()
    events.publish_all([events.of_container(container, "create")])
    return {"id": container.id, "warnings": _warnings(container)}


def _make_directory(container: Container, undo: ExitStack) -> None:
    """Logs are read by the web process's group, which the data root's directory carries."""
    directory = settings.MUELLE_LAYOUT.container(container.id)
    directory.parent.mkdir(mode=0o710, parents=True, exist_ok=True)
    directory.mkdir(mode=0o710)
    undo.callback(shutil.rmtree, directory, ignore_errors=True)
    shutil.chown(directory, group=directory.parent.stat().st_gid)


def _insert(container: Container, mounts: Mounts, *, chosen: bool) -> None:
    """Insert the row; the unique index decides over the name. Names of our own are tried until one is free."""
    for attempt in range(1 if chosen else NAME_ATTEMPTS):
        if not chosen:
            container.name = names.invent() if attempt < NAME_ATTEMPTS - 1 else names.invent_longer()
        try:
            with transaction.atomic():
                # Asked again inside the transaction, and held: an image's removal looks for its containers in one, too.
                rows = Image.objects.select_for_update()
                if rows.filter(node_id=container.node_id, image_id=container.image_id).first() is None:
                    raise NotFound(f"No such image: {container.image_name}")
                container.save(force_insert=True)
                uses = [VolumeUse(volume=volume, container=container) for volume in mounts.volumes]
                VolumeUse.objects.bulk_create(uses)
            return
        except IntegrityError:
            taken = container.name
    raise names.conflict(container.node_id, taken)


def _name_host(container: Container) -> None:
    """The host name: 12 digits of the ID, or the host's own in its network or UTS namespace."""
    host = container.host_config
    if not container.config.get("Hostname"):
        shared = host.get("NetworkMode") == "host" or host.get("UTSMode") == "host"
        container.config["Hostname"] = socket.gethostname() if shared else container.short_id


def _resolve_peers(host_config: dict[str, Any]) -> None:
    """``container:name`` becomes ``container:<full ID>``, so that a renamed peer is still found."""
    for mode in NAMESPACE_MODES:
        kind, _, reference = (host_config.get(mode) or "").partition(":")
        if kind != "container":
            continue
        peer = settled.find(reference)
        if mode == "IpcMode" and peer.host_config.get("IpcMode") not in {"shareable", "host"}:
            raise InvalidArgument(f"cannot join IPC of container {peer.id}: non-shareable IPC")
        if mode == "NetworkMode" and (peer.host_config.get("NetworkMode") or "").startswith("container:"):
            raise Conflict(f"cannot join network of container {peer.id}: it has joined another's network")
        host_config[mode] = f"container:{peer.id}"


def _warnings(container: Container) -> list[str]:
    group = runtime.cgroup(settings.MUELLE_LAYOUT, container.id)
    return group.unsupported(Resources.from_host_config(container.host_config))
