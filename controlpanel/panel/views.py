"""The page's files, and the lists it shows before its WebSocket is up."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from django.http import HttpResponse
from django.views.decorators.http import require_safe
from rest_framework.response import Response

from controlpanel.panel import about as this_installation
from controlpanel.panel import assets, listing, log_file
from controlpanel.rest import errors
from controlpanel.rest.decorators import anonymous
from controlpanel.rest.openapi import TEXT, Operation, flag
from controlpanel.rest.views import EngineView
from controlpanel.server.responses import StreamedResponse
from controlpanel.streams import logs
from engine.errors import NotFound

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request

NOT_BUILT = "the page is not built: run ./muelle up, or npm ci && npm run build in frontend/web\n"


@anonymous
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    asset = assets.find(assets.INDEX)
    if asset is None:
        return HttpResponse(NOT_BUILT, status=503, content_type="text/plain; charset=utf-8")
    return assets.respond(request, asset)


@anonymous
@require_safe
def static(request: HttpRequest, name: str) -> HttpResponse:
    asset = assets.find(name)
    if asset is None:
        raise NotFound(errors.PAGE_NOT_FOUND)
    return assets.respond(request, asset)


class Containers(TypedDict):
    containers: list[listing.ContainerRow]


class Images(TypedDict):
    images: list[listing.ImageRow]


class ContainersView(EngineView):
    actions = {"GET": "containers.view"}
    operations = {"GET": Operation("Containers as the page lists them", answer=Containers)}

    def get(self, request: Request) -> Response:
        return Response({"containers": listing.containers(self.scope)})


class LogView(EngineView):
    actions = {"GET": "containers.view"}
    operations = {
        "GET": Operation(
            "The whole log as a text file", query=(flag("timestamps", "1: a time before each line"),), answer=TEXT
        )
    }

    async def get(self, request: Request, reference: str) -> StreamedResponse:
        """The whole log as a text file: ``?timestamps=1`` puts the time before each line."""
        container = await self.scope.find_container(reference, self.action)
        logs.require_readable(container)
        body = log_file.lines(container, timestamps=request.query_params.get("timestamps") == "1")
        response = StreamedResponse(body, content_type="text/plain; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{container.name}.log"'
        return response


class ImagesView(EngineView):
    actions = {"GET": "images.view"}
    operations = {"GET": Operation("Images as the page lists them", answer=Images)}

    def get(self, request: Request) -> Response:
        return Response({"images": listing.images(self.scope)})


class AboutView(EngineView):
    actions = {"GET": "system.view"}
    operations = {"GET": Operation("This installation", answer=this_installation.About)}

    def get(self, request: Request) -> Response:
        return Response(this_installation.about(self.scope))
