"""Changing a container that exists: its name, its limits, its restart policy."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from controlpanel.objects import events, states
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.operations.containers import names, settled
from controlpanel.rpc.worker import operation
from engine.containers import config as rules
from engine.containers import runtime
from engine.errors import Conflict, InvalidArgument, MuelleError
from engine.kernel.cgroups import Resources


@operation("containers.rename")
def rename(id: str, name: str) -> None:  # noqa: A002  # the name on the wire
    """Give a container another name; Conflict when it is taken."""
    container = settled.find(id)
    if not name:
        raise InvalidArgument("Neither old nor new names may be empty")
    new = rules.check_name(name)
    old = container.name
    if new == old:
        raise InvalidArgument("Renaming a container with the same name as its current name")
    try:
        with transaction.atomic():
            Container.objects.filter(pk=container.pk).update(name=new)
    except IntegrityError as error:
        taken = names.conflict(container.node_id, new)
        raise Conflict(f"Error when allocating new name: {taken.message}") from error
    container.name = new
    events.publish_all([events.of_container(container, "rename", oldName=f"/{old}")])


@operation("containers.update")
def update(id: str, resources: dict[str, Any], restart_policy: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: A002
    """Change limits, at once when it runs, and the restart policy. Empty fields of ``resources`` change nothing."""
    container = settled.find_settled(id)
    if container.status in {Status.REMOVING, Status.DEAD}:
        raise Conflict('Container is marked for removal and cannot be "update".')
    if restart_policy and container.auto_remove:
        raise InvalidArgument("Restart policy cannot be updated because AutoRemove is enabled for the container")
    host_config = {**container.host_config, **{key: value for key, value in resources.items() if value}}
    _check(container, resources)
    if restart_policy:
        host_config["RestartPolicy"] = restart_policy
    wanted = Resources.from_host_config(host_config)
    group = runtime.cgroup(settings.MUELLE_LAYOUT, container.id)
    if container.status in states.ALIVE:
        try:
            group.update(wanted)
        except MuelleError as error:
            raise type(error)(f"Cannot update container {container.id}: {error.message}") from error
    Container.objects.filter(pk=container.pk).update(host_config=host_config)
    events.publish_all([events.of_container(container, "update")])
    return {"warnings": group.unsupported(wanted)}


def _check(container: Container, resources: dict[str, Any]) -> None:
    """A new memory limit must fit the swap limit that stays."""
    memory, swap = resources.get("Memory") or 0, resources.get("MemorySwap") or 0
    kept = container.host_config.get("MemorySwap") or 0
    if memory and not swap and 0 < kept < memory:
        raise InvalidArgument(
            f"Cannot update container {container.id}: Memory limit should be smaller than already set memoryswap "
            "limit, update the memoryswap at the same time"
        )
