"""The page's files, and the lists it shows before its WebSocket is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.views.decorators.http import require_GET, require_safe

from controlpanel.access import errors
from controlpanel.access.decorators import anonymous, guarded
from controlpanel.objects.models import Container
from controlpanel.panel import about as this_installation
from controlpanel.panel import assets, listing, log_file
from controlpanel.streams.responses import StreamedResponse
from engine.errors import NotFound

if TYPE_CHECKING:
    from django.http import HttpRequest

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


@guarded("containers.view")
@require_GET
def containers(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"containers": listing.containers(settings.MUELLE_NODE)})


@guarded("containers.view")
@require_GET
async def log(request: HttpRequest, reference: str) -> StreamedResponse:
    """The whole log as a text file: ``?timestamps=1`` puts the time before each line."""
    container = await Container.objects.afind(settings.MUELLE_NODE, reference)
    body = log_file.lines(container, timestamps=request.GET.get("timestamps") == "1")
    response = StreamedResponse(body, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{container.name}.log"'
    return response


@guarded("images.view")
@require_GET
def images(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"images": listing.images(settings.MUELLE_NODE)})


@guarded("system.view")
@require_GET
def about(request: HttpRequest) -> HttpResponse:
    return JsonResponse(this_installation.about())
