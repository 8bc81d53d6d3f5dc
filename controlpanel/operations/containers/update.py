"""Changing a container that exists: its name, its limits, its restart policy."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.db import IntegrityError, transaction

from controlpanel.contracts import containers
from controlpanel.contracts.results import Warned
from controlpanel.objects import events, states
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from controlpanel.operations.containers import names, settled
from engine.containers import config as rules
from engine.containers import resources as limits
from engine.containers import runtime
from engine.containers.config.objects import HostConfig, Resources, RestartPolicy
from engine.containers.config.resources import UNLIMITED
from engine.errors import Conflict, InvalidArgument, MuelleError, NotFound


@containers.rename.implement
def rename(container_id: str, name: str) -> None:
    container = settled.row(container_id)
    if not name:
        raise InvalidArgument("Neither old nor new names may be empty")
    new = rules.check_name(name)
    old = container.name
    if new == old:
        raise InvalidArgument("Renaming a container with the same name as its current name")
    try:
        with transaction.atomic():
            changed = Container.objects.filter(pk=container.pk).update(name=new)
    except IntegrityError as error:
        taken = names.conflict(container, new)
        raise Conflict(f"Error when allocating new name: {taken.message}") from error
    if not changed:
        raise NotFound(f"No such container: {container_id}")
    container.name = new
    events.publish_all([events.of_container(container, "rename", oldName=f"/{old}")])


@containers.update.implement
def update(container_id: str, resources: Resources, restart_policy: RestartPolicy | None = None) -> Warned:
    container = settled.container(container_id)
    if container.status in {Status.REMOVING, Status.DEAD}:
        raise Conflict('Container is marked for removal and cannot be "update".')
    if restart_policy and container.auto_remove:
        text = "Restart policy cannot be updated because AutoRemove is enabled for the container"
        raise Conflict(f"Cannot update container {container.id}: {text}")
    with transaction.atomic():
        unsupported = _merge(container, resources, restart_policy)
    events.publish_all([events.of_container(container, "update")])
    return {"warnings": unsupported}


def _merge(container: Container, resources: Resources, restart_policy: RestartPolicy | None) -> list[str]:
    """Change the object that is stored now, held while the kernel is told: of two updates at once none is lost.

    Returns warnings of limits that this kernel does not have.
    """
    row = Container.objects.select_for_update().filter(pk=container.pk).first()
    if row is None:
        raise NotFound(f"No such container: {container.id}")
    changes = {key: value for key, value in resources.items() if value}
    host_config = cast("HostConfig", {**row.host_config, **changes})
    _check(row, resources)
    if restart_policy:
        host_config["RestartPolicy"] = restart_policy
    wanted = limits.limits(host_config)
    group = runtime.cgroup(settings.MUELLE_LAYOUT, row.id)
    if host_config["PidsLimit"] == UNLIMITED:
        host_config["PidsLimit"] = 0  # what Docker shows for it
    Container.objects.filter(pk=row.pk).update(host_config=host_config)
    if row.status in states.ALIVE:
        try:
            group.update(wanted)
        except MuelleError as error:
            raise type(error)(f"Cannot update container {row.id}: {error.message}") from error
    return group.unsupported(wanted)


def _check(container: Container, resources: Resources) -> None:
    """A new memory limit must fit the swap limit that stays."""
    memory, swap = resources["Memory"], resources["MemorySwap"]
    kept = container.host_config["MemorySwap"]
    if memory and not swap and 0 < kept < memory:
        raise InvalidArgument(
            f"Cannot update container {container.id}: Memory limit should be smaller than already set memoryswap "
            "limit, update the memoryswap at the same time"
        )
