"""Volumes: list, create, inspect, remove, prune."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from rest_framework.response import Response

from controlpanel.api import answers, volumes_rendering
from controlpanel.contracts import volumes as contract
from controlpanel.rest import filters, openapi, query
from controlpanel.rest.openapi import Operation, flag
from controlpanel.rest.views import EngineView, empty, in_thread
from engine.containers.config import mounts as config_mounts
from engine.containers.config.decode import NULLABLE_TEXT_MAP, TEXT
from engine.errors import InvalidArgument, NotFound, Unavailable

if TYPE_CHECKING:
    from rest_framework.request import Request

KEYS = ("dangling", "driver", "label", "label!", "name")
PRUNE_KEYS = ("all", "label", "label!")
CREATE = {"Name": TEXT, "Driver": TEXT, "DriverOpts": NULLABLE_TEXT_MAP, "Labels": NULLABLE_TEXT_MAP}


class CreateOptions(TypedDict):
    """What CREATE reads."""

    Name: str
    Driver: str
    DriverOpts: dict[str, str] | None
    Labels: dict[str, str] | None


class VolumeListView(EngineView):
    actions = {"GET": "volumes.view"}
    operations = {"GET": Operation("List volumes", query=(openapi.filters(*KEYS),), answer=answers.VolumeList)}

    def get(self, request: Request) -> Response:
        chosen = filters.parse(request.query_params, KEYS)
        rows = self.scope.volumes().order_by("name")
        dangling = chosen.flag("dangling")
        if dangling is not None:
            rows = rows.filter(uses__isnull=dangling).distinct()
        if chosen.values_of("driver"):
            rows = rows.filter(driver__in=chosen["driver"])
        names = chosen.values_of("name")
        shown = [
            volumes_rendering.volume(row)
            for row in rows
            if chosen.labels_match(row.labels) and (not names or any(name in row.name for name in names))
        ]
        return Response({"Volumes": shown, "Warnings": None})


class VolumeCreateView(EngineView):
    actions = {"POST": "volumes.create"}
    operations = {"POST": Operation("Create a volume", body=CreateOptions, status=201, answer=answers.Volume)}

    async def post(self, request: Request) -> Response:
        wanted = self.read(CREATE, "CreateOptions")
        if wanted["Name"]:
            config_mounts.check_volume_name(wanted["Name"])
        name = await contract.create(
            self.scope,
            project=self.scope.project,
            name=wanted["Name"] or None,
            driver=wanted["Driver"] or "local",
            options=wanted["DriverOpts"] or {},
            labels=wanted["Labels"] or {},
        )
        made = await self.scope.find_volume(name, "volumes.view")
        return Response(volumes_rendering.volume(made), status=201)


class VolumeView(EngineView):
    """``/volumes/{name}``."""

    actions = {"GET": "volumes.view", "PUT": "volumes.update", "DELETE": "volumes.remove"}
    operations = {
        "GET": Operation("Inspect a volume", answer=answers.Volume),
        "DELETE": Operation("Remove a volume", query=(flag("force", "no error if there is none"),), status=204),
    }

    def get(self, request: Request, name: str) -> Response:
        return Response(volumes_rendering.volume(self.scope.volume(name, self.action)))

    def put(self, request: Request, name: str) -> Response:
        raise Unavailable("volume update only valid for cluster volumes, but swarm is unavailable")

    async def delete(self, request: Request, name: str) -> Response:
        try:
            volume = await self.scope.find_volume(name, self.action)
        except NotFound:
            if query.flag(request.query_params, "force"):
                return empty(204)
            raise
        await contract.remove(self.scope, volume.pk)
        return empty(204)


class VolumePruneView(EngineView):
    actions = {"POST": "volumes.prune"}
    operations = {
        "POST": Operation(
            "Remove volumes that nobody uses", query=(openapi.filters(*PRUNE_KEYS),), answer=answers.VolumesPruned
        )
    }

    async def post(self, request: Request) -> Response:
        chosen = filters.parse(request.query_params, PRUNE_KEYS)
        if self.version < (1, 42):
            if "all" in chosen:
                raise InvalidArgument("invalid filter 'all'")
            # Before 1.42 every unused volume went, named or not.
            chosen["all"] = ["true"]
        pruned = await contract.prune(self.scope, self.scope.project, await in_thread(self._unused)(chosen))
        return Response({"VolumesDeleted": pruned["deleted"], "SpaceReclaimed": pruned["reclaimed"]})

    def _unused(self, chosen: filters.Filters) -> list[int]:
        """Row keys of the anonymous volumes, or with ``all`` of all, that nobody uses and that fit the filters."""
        rows = self.scope.volumes().filter(uses=None)
        if not chosen.flag("all"):
            rows = rows.filter(anonymous=True)
        return [row.pk for row in rows if not row.options and chosen.labels_match(row.labels)]
