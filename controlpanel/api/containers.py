"""Containers: list, create, inspect, update, rename, remove, prune, top, changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.response import Response

from controlpanel.api import creation, filters, host, inspect, listing, query, selection
from controlpanel.api.views import EngineView, empty
from controlpanel.objects.models import Container
from controlpanel.rpc import calls
from engine.containers import config
from engine.errors import InvalidArgument

if TYPE_CHECKING:
    from rest_framework.request import Request

# Copying an image's content into a new volume, and removing a big upper directory, are bounded by the disk only.
LONG = 600.0


class ContainerListView(EngineView):
    actions = {"GET": "containers.view"}

    def get(self, request: Request) -> Response:
        rows = selection.choose(self.node, request.query_params)
        wanted = query.flag(request.query_params, "size") and rows
        sizes = calls.call_sync("containers.sizes", ids=[row.id for row in rows]) if wanted else {}
        return Response(listing.render(self.node, rows, sizes))


class ContainerCreateView(EngineView):
    actions = {"POST": "containers.create"}

    def post(self, request: Request) -> Response:
        name = request.query_params.get("name", "")
        plan = creation.plan(self.node, self.body(), request.query_params.get("platform", ""), self.version)
        created = calls.call_sync(
            "containers.create",
            timeout=LONG,
            name=config.check_name(name) if name else None,
            config=plan.request.config,
            host_config=plan.request.host_config,
            networking=plan.request.networking["EndpointsConfig"],
            image_id=plan.image_id,
            image_name=plan.request.config["Image"],
            platform=request.query_params.get("platform") or None,
        )
        warnings = [*plan.warnings, *(created.get("warnings") or [])]
        return Response({"Id": created["id"], "Warnings": warnings}, status=201)


class ContainerView(EngineView):
    """``/containers/{id}``."""

    actions = {"DELETE": "containers.remove"}

    def delete(self, request: Request, reference: str) -> Response:
        parameters = request.query_params
        if query.flag(parameters, "link"):
            raise InvalidArgument(f"cannot remove link {reference}: muelle does not link containers")
        calls.call_sync(
            "containers.remove",
            timeout=LONG,
            id=reference,
            force=query.flag(parameters, "force"),
            volumes=query.flag(parameters, "v"),
        )
        return empty(204)


class ContainerInspectView(EngineView):
    actions = {"GET": "containers.view"}

    def get(self, request: Request, reference: str) -> Response:
        container = Container.objects.find(self.node, reference)
        sizes = None
        if query.flag(request.query_params, "size"):
            sizes = calls.call_sync("containers.sizes", ids=[container.id]).get(container.id)
        return Response(inspect.render(container, sizes))


class ContainerTopView(EngineView):
    actions = {"GET": "containers.view"}

    def get(self, request: Request, reference: str) -> Response:
        arguments = request.query_params.get("ps_args") or "-ef"
        return Response(calls.call_sync("containers.top", id=reference, ps_args=arguments))


class ContainerChangesView(EngineView):
    actions = {"GET": "containers.view"}

    def get(self, request: Request, reference: str) -> Response:
        changes: list[dict[str, Any]] = calls.call_sync("containers.changes", timeout=LONG, id=reference)
        return Response(changes)


class ContainerRenameView(EngineView):
    actions = {"POST": "containers.rename"}

    def post(self, request: Request, reference: str) -> Response:
        name = request.query_params.get("name", "")
        if not name:
            raise InvalidArgument("Neither old nor new names may be empty")
        calls.call_sync("containers.rename", id=reference, name=config.check_name(name))
        return empty(204)


class ContainerUpdateView(EngineView):
    actions = {"POST": "containers.update"}

    def post(self, request: Request, reference: str) -> Response:
        """Only what the body sets is passed on: zero means "leave it", as in Docker."""
        resources, policy, warnings = config.decode_update(self.body(), host.limits())
        host.check_available(resources)
        asked = {name: value for name, value in resources.items() if value}
        changed = calls.call_sync("containers.update", id=reference, resources=asked, restart_policy=policy)
        return Response({"Warnings": [*warnings, *(changed.get("warnings") or [])] or None})


class ContainerPruneView(EngineView):
    actions = {"POST": "containers.prune"}

    def post(self, request: Request) -> Response:
        chosen = filters.parse(request.query_params, ("until", "label", "label!"))
        return Response(calls.call_sync("containers.prune", timeout=LONG, filters=chosen))
