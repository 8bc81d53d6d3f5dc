"""Containers by full ID, name or unique ID prefix; and the compare-and-set that moves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.db import models
from django.db.models import F, Q

from controlpanel.objects import states
from controlpanel.objects.managers.prefixes import NUL, is_id_prefix, upper_bound
from engine.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from controlpanel.objects.models.containers import Container
    from controlpanel.objects.states import Status


ID_LENGTH = 64


class ContainerManager(models.Manager["Container"]):
    def find(self, node: str, reference: str) -> Container:
        """The container that ``reference`` (full ID, name with or without ``/``, unique ID prefix) means. One query.

        Raises NotFound, or InvalidArgument when a prefix fits several.
        """
        whole = len(reference) == ID_LENGTH and is_id_prefix(reference)
        if whole and (exact := list(self.filter(pk=reference, node_id=node))):
            return exact[0]
        name = reference.removeprefix("/")
        if not name or NUL in name:
            raise NotFound(f"No such container: {reference}")
        wanted = Q(name=name)
        if is_id_prefix(reference):
            wanted |= Q(id__gte=reference, id__lt=upper_bound(reference))
        found = list(self.filter(wanted, node_id=node)[:3])
        return _choose(found, reference, name)

    afind = sync_to_async(find, thread_sensitive=True)

    def move(self, container: Container, sources: tuple[Status, ...], target: Status, fields: dict[str, Any]) -> bool:
        states.check(sources, target)
        if target in states.TRANSIENT:
            fields = {"resting": F("status"), **fields}
        elif target not in states.TRANSIENT:
            fields = {"resting": target, "mover": "", **fields}
        won = self.filter(pk=container.pk, status__in=sources).update(status=target, **fields) == 1
        if won:
            _show(container, target, fields)
        return won


def _choose(found: list[Container], reference: str, name: str) -> Container:
    for container in found:
        if container.id == reference:
            return container
    for container in found:
        if container.name == name:
            return container
    if len(found) > 1:
        raise InvalidArgument(f"multiple IDs found with provided prefix: {reference}")
    if not found:
        raise NotFound(f"No such container: {reference}")
    return found[0]


def _show(container: Container, target: Status, fields: dict[str, Any]) -> None:
    if "resting" in fields and isinstance(fields["resting"], F):
        container.resting = container.status
    container.status = target
    for name, value in fields.items():
        if not isinstance(value, models.Expression | F):
            setattr(container, name, value)
