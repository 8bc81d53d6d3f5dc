"""Containers: list, create, inspect, update, rename, remove, prune, top, changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.response import Response

from controlpanel.api import answers, creation, host, inspect, listing, selection
from controlpanel.contracts import containers
from controlpanel.objects import states
from controlpanel.rest import filters, openapi, query
from controlpanel.rest.openapi import Operation, flag, integer, word
from controlpanel.rest.views import EngineView, empty, in_thread
from engine import rfc3339
from engine.containers import config
from engine.containers.config.objects import UpdateConfig
from engine.errors import InvalidArgument

if TYPE_CHECKING:
    from rest_framework.request import Request

PRUNE_KEYS = ("until", "label", "label!")


class ContainerListView(EngineView):
    actions = {"GET": "containers.view"}
    operations = {
        "GET": Operation(
            "List containers",
            query=(
                flag("all", "those too that do not run"),
                integer("limit", "this many, the newest, in any state"),
                flag("size", "with sizes"),
                word("since", "made after it"),
                word("before", "made before it"),
                openapi.filters(*selection.KEYS),
            ),
            answer=list[answers.ContainerSummary],
        )
    }

    async def get(self, request: Request) -> Response:
        rows = await in_thread(selection.choose)(self.scope, request.query_params)
        wanted = query.flag(request.query_params, "size") and rows
        sizes = await containers.sizes(self.scope, [row.id for row in rows]) if wanted else {}
        return Response(await in_thread(listing.render)(self.scope, rows, sizes, annotations=self.version >= (1, 46)))


class ContainerCreateView(EngineView):
    actions = {"POST": "containers.create"}
    operations = {
        "POST": Operation(
            "Create a container",
            query=(word("name", "its name"), word("platform", "os[/arch[/variant]] that the image must have")),
            body=creation.CreateBody,
            status=201,
            answer=answers.Created,
        )
    }

    async def post(self, request: Request) -> Response:
        name = request.query_params.get("name", "")
        platform = request.query_params.get("platform", "")
        plan = await in_thread(creation.plan)(self.scope, self.body(), platform, self.version)
        created = await containers.create(
            self.scope,
            project=self.scope.project,
            image=plan.image.pk,
            image_name=plan.request.config["Image"],
            config=plan.request.config,
            host_config=plan.request.host_config,
            networking=plan.request.networking["EndpointsConfig"],
            volumes_from=plan.volumes_from,
            name=config.check_name(name) if name else None,
        )
        return Response({"Id": created["id"], "Warnings": [*plan.warnings, *created["warnings"]]}, status=201)


class ContainerView(EngineView):
    """``/containers/{id}``."""

    actions = {"DELETE": "containers.remove"}
    operations = {
        "DELETE": Operation(
            "Remove a container",
            query=(
                flag("force", "kill it if it runs"),
                flag("v", "with its anonymous volumes"),
                flag("link", "not the container but a link: refused"),
            ),
            status=204,
        )
    }

    async def delete(self, request: Request, reference: str) -> Response:
        parameters = request.query_params
        if query.flag(parameters, "link"):
            raise InvalidArgument(f"cannot remove link {reference}: muelle does not link containers")
        container = await self.scope.find_container(reference, self.action)
        force, volumes = query.flag(parameters, "force"), query.flag(parameters, "v")
        await containers.remove(self.scope, container.id, force=force, volumes=volumes)
        return empty(204)


class ContainerInspectView(EngineView):
    actions = {"GET": "containers.view"}
    operations = {
        "GET": Operation("Inspect a container", query=(flag("size", "with sizes"),), answer=answers.ContainerInspect)
    }

    async def get(self, request: Request, reference: str) -> Response:
        if not query.flag(request.query_params, "size"):
            return Response(await in_thread(self._inspected)(reference))
        container = await self.scope.find_container(reference, self.action)
        sizes = await containers.sizes(self.scope, [container.id])
        return Response(await in_thread(inspect.render)(self.scope, container, sizes.get(container.id)))

    def _inspected(self, reference: str) -> dict[str, Any]:
        return inspect.render(self.scope, self.scope.container(reference, self.action))


class ContainerTopView(EngineView):
    actions = {"GET": "containers.view"}
    operations = {
        "GET": Operation(
            "Its processes", query=(word("ps_args", "options of ps, -ef by default"),), answer=answers.ContainerTop
        )
    }

    async def get(self, request: Request, reference: str) -> Response:
        container = await self.scope.find_container(reference, self.action)
        return Response(await containers.top(self.scope, container.id, request.query_params.get("ps_args") or "-ef"))


class ContainerChangesView(EngineView):
    actions = {"GET": "containers.view"}
    operations = {"GET": Operation("Files changed since its image", answer=answers.ContainerChanges)}

    async def get(self, request: Request, reference: str) -> Response:
        container = await self.scope.find_container(reference, self.action)
        return Response(await containers.changes(self.scope, container.id))


class ContainerRenameView(EngineView):
    actions = {"POST": "containers.rename"}
    operations = {
        "POST": Operation("Rename a container", query=(word("name", "the new name", required=True),), status=204)
    }

    async def post(self, request: Request, reference: str) -> Response:
        name = request.query_params.get("name", "")
        container = await self.scope.find_container(reference, self.action)
        if not name:
            raise InvalidArgument("Neither old nor new names may be empty")
        await containers.rename(self.scope, container.id, config.check_name(name))
        return empty(204)


class ContainerUpdateView(EngineView):
    actions = {"POST": "containers.update"}
    operations = {"POST": Operation("Change limits and the restart policy", body=UpdateConfig, answer=answers.Warned)}

    async def post(self, request: Request, reference: str) -> Response:
        resources, policy, warnings = config.decode_update(self.body(), host.limits())
        if self.version < (1, 40):
            resources["PidsLimit"] = None
        host.check_available(resources)
        container = await self.scope.find_container(reference, self.action)
        changed = await containers.update(self.scope, container.id, resources, policy)
        return Response({"Warnings": [*warnings, *changed["warnings"]] or None})


class ContainerPruneView(EngineView):
    actions = {"POST": "containers.prune"}
    operations = {
        "POST": Operation(
            "Remove what does not run", query=(openapi.filters(*PRUNE_KEYS),), answer=answers.ContainersPruned
        )
    }

    async def post(self, request: Request) -> Response:
        chosen = filters.parse(request.query_params, PRUNE_KEYS)
        pruned = await containers.prune(self.scope, self.scope.project, await in_thread(self._stopped)(chosen))
        return Response({"ContainersDeleted": pruned["deleted"], "SpaceReclaimed": pruned["reclaimed"]})

    def _stopped(self, chosen: filters.Filters) -> list[str]:
        """The IDs of those that do not run and fit the filters."""
        limit = chosen.until()
        return [
            row.id
            for row in self.scope.containers().filter(status__in=states.REMOVABLE)
            if chosen.labels_match(row.config["Labels"]) and (limit is None or rfc3339.parse(row.created_at) < limit)
        ]
