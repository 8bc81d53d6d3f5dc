"""Volumes: list, create, inspect, remove, prune."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.response import Response

from controlpanel.api import filters, query, volumes_rendering
from controlpanel.api.views import EngineView, empty
from controlpanel.objects.models import Volume
from controlpanel.rpc import calls
from engine.containers.config import mounts as config_mounts
from engine.containers.config.decode import NULLABLE_TEXT_MAP, TEXT
from engine.errors import InvalidArgument, Unavailable

if TYPE_CHECKING:
    from rest_framework.request import Request

KEYS = ("dangling", "driver", "label", "label!", "name")
CREATE = {"Name": TEXT, "Driver": TEXT, "DriverOpts": NULLABLE_TEXT_MAP, "Labels": NULLABLE_TEXT_MAP}
LONG = 600.0


class VolumeListView(EngineView):
    actions = {"GET": "volumes.view"}

    def get(self, request: Request) -> Response:
        chosen = filters.parse(request.query_params, KEYS)
        rows = Volume.objects.filter(node_id=self.node).order_by("name")
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

    def post(self, request: Request) -> Response:
        wanted = self.read(CREATE, "CreateOptions")
        if wanted["Name"]:
            config_mounts.check_volume_name(wanted["Name"])
        made = calls.call_sync(
            "volumes.create",
            name=wanted["Name"] or None,
            driver=wanted["Driver"] or "local",
            options=wanted["DriverOpts"] or {},
            labels=wanted["Labels"] or {},
        )
        return Response(volumes_rendering.volume(Volume.objects.find(self.node, made["name"])), status=201)


class VolumeView(EngineView):
    """``/volumes/{name}``."""

    actions = {"GET": "volumes.view", "PUT": "volumes.update", "DELETE": "volumes.remove"}

    def get(self, request: Request, name: str) -> Response:
        return Response(volumes_rendering.volume(Volume.objects.find(self.node, name)))

    def put(self, request: Request, name: str) -> Response:
        raise Unavailable("volume update only valid for cluster volumes, but swarm is unavailable")

    def delete(self, request: Request, name: str) -> Response:
        calls.call_sync("volumes.remove", name=name, force=query.flag(request.query_params, "force"))
        return empty(204)


class VolumePruneView(EngineView):
    actions = {"POST": "volumes.prune"}

    def post(self, request: Request) -> Response:
        chosen = filters.parse(request.query_params, ("all", "label", "label!"))
        if self.version < (1, 42):
            if "all" in chosen:
                raise InvalidArgument("invalid filter 'all'")
            # Before 1.42 every unused volume went, named or not.
            chosen["all"] = ["true"]
        chosen.flag("all")
        return Response(calls.call_sync("volumes.prune", timeout=LONG, filters=chosen))
