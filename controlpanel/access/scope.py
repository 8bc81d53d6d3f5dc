"""The one door to objects: what a principal reaches on a node.

Each object is looked up here once, among the rows that the principal may know of, and authorised with the object in
hand. What is not visible is missing (404); what is visible and not allowed is refused (403). Lists, filters, events and
sizes start from the query sets below. No room that answers clients asks a model's own manager, and a test walks them
all; workers and the monitor do, by whole IDs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db.models import Model, Q, QuerySet

from controlpanel.access import policy
from controlpanel.access.policy import Principal
from controlpanel.objects.models import (
    Container,
    Endpoint,
    Exec,
    Image,
    ImageReference,
    Network,
    Volume,
    VolumeUse,
)
from controlpanel.objects.models.networks import PREDEFINED
from controlpanel.objects.models.projects import DEFAULT

if TYPE_CHECKING:
    from controlpanel.objects.models.containers import ContainerQuerySet
    from controlpanel.objects.models.execs import ExecQuerySet
    from controlpanel.objects.models.images import ImageQuerySet
    from controlpanel.objects.models.networks import NetworkQuerySet
    from controlpanel.objects.models.volumes import VolumeQuerySet

Row = TypeVar("Row", bound=Model)
Rows = TypeVar("Rows", bound="QuerySet[Model]")


class Scope(NamedTuple):
    """``project`` owns what is made; the others' objects are found by name where it has none of that name."""

    principal: Principal
    node: str
    project: str = DEFAULT

    @classmethod
    def of(cls, principal: Principal | None) -> Scope:
        """The scope of a request on this node. Raises Unauthorized when nobody is signed in."""
        return cls(policy.identify(principal), settings.MUELLE_NODE)

    @classmethod
    def of_engine(cls) -> Scope:
        """The scope of what the engine does for everybody, such as taking the samples that all watchers share."""
        return cls(policy.ENGINE, settings.MUELLE_NODE)

    def require(self, action: str) -> None:
        """Raise Forbidden unless there may be something that the principal may do ``action`` to."""
        policy.authorize(self.principal, action)

    def sees(self, project: str) -> bool:
        """Whether objects of a project, or what happens to them, may be known; all know of what belongs to none."""
        visible = policy.visible_projects(self.principal)
        return not project or visible is None or project in visible

    def containers(self) -> ContainerQuerySet:
        return self._visible(Container.objects.filter(node_id=self.node))

    def execs(self) -> ExecQuerySet:
        """Exec sessions, each with its container."""
        rows = Exec.objects.filter(container__node_id=self.node).select_related("container")
        return self._visible(rows, "container__")

    def images(self) -> ImageQuerySet:
        return self._visible(Image.objects.filter(node_id=self.node))

    def references(self) -> QuerySet[ImageReference]:
        return self._visible(ImageReference.objects.filter(node_id=self.node))

    def networks(self) -> NetworkQuerySet:
        """Networks; everybody knows of ``bridge``, ``host`` and ``none``."""
        rows = Network.objects.filter(node_id=self.node)
        visible = policy.visible_projects(self.principal)
        return rows if visible is None else rows.filter(Q(project__in=visible) | Q(name__in=PREDEFINED))

    def endpoints(self) -> QuerySet[Endpoint]:
        """Endpoints of the containers that are visible, in whichever network."""
        return self._visible(Endpoint.objects.filter(container__node_id=self.node), "container__")

    def volumes(self) -> VolumeQuerySet:
        return self._visible(Volume.objects.filter(node_id=self.node))

    def volume_uses(self) -> QuerySet[VolumeUse]:
        return self._visible(VolumeUse.objects.filter(volume__node_id=self.node), "volume__")

    def container(self, reference: str, action: str) -> Container:
        """Raises NotFound, InvalidArgument for an ambiguous reference, Forbidden."""
        found = self.containers().find(reference, self.project)
        policy.authorize(self.principal, action, found)
        return found

    def exec(self, reference: str, action: str) -> Exec:
        """An exec session with its container, whose project decides."""
        found = self.execs().find(reference)
        policy.authorize(self.principal, action, found.container)
        return found

    def image(self, reference: str, action: str) -> Image:
        found = self.images().find(reference, self.project)
        policy.authorize(self.principal, action, found)
        return found

    def network(self, reference: str, action: str) -> Network:
        found = self.networks().find(reference, self.project)
        policy.authorize(self.principal, action, found)
        return found

    def volume(self, name: str, action: str) -> Volume:
        found = self.volumes().find(name, self.project)
        policy.authorize(self.principal, action, found)
        return found

    async def find_container(self, reference: str, action: str) -> Container:
        """``container`` for the event loop; the database is asked in a thread."""
        return await sync_to_async(self.container)(reference, action)

    async def find_exec(self, reference: str, action: str) -> Exec:
        return await sync_to_async(self.exec)(reference, action)

    async def find_image(self, reference: str, action: str) -> Image:
        return await sync_to_async(self.image)(reference, action)

    async def find_volume(self, name: str, action: str) -> Volume:
        return await sync_to_async(self.volume)(name, action)

    def _visible(self, rows: Rows, owner: str = "") -> Rows:
        visible = policy.visible_projects(self.principal)
        return rows if visible is None else rows.filter(**{f"{owner}project__in": visible})
