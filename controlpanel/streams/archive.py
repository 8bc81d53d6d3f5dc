"""``/containers/{id}/archive`` and ``/containers/{id}/export``: files of a container as tar archives."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson
from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.views.decorators.http import require_GET, require_http_methods

from controlpanel.access.decorators import guarded
from controlpanel.objects.models import Container
from controlpanel.rpc import calls
from controlpanel.streams import parameters, transfers
from engine.errors import InvalidArgument

if TYPE_CHECKING:
    from django.http import HttpRequest

TAR = "application/x-tar"
STAT_HEADER = "X-Docker-Container-Path-Stat"


@require_http_methods(["GET", "HEAD", "PUT"])
@guarded("containers.archive")
async def archive(request: HttpRequest, name: str) -> HttpResponseBase:
    container = await Container.objects.afind(settings.MUELLE_NODE, name)
    path = request.GET.get("path", "")
    if not path:
        raise InvalidArgument("bad parameter: path cannot be empty")
    if request.method == "PUT":
        return await _put(request, container.id, path)
    stat = await calls.call("containers.archive_stat", id=container.id, path=path)
    if request.method == "HEAD":
        response: HttpResponseBase = HttpResponse()
        del response.headers["Content-Type"]
    else:
        response = await transfers.give("containers.archive_get", TAR, id=container.id, path=path)
    response.headers[STAT_HEADER] = _encode(stat)
    return response


@require_GET
@guarded("containers.export")
async def export(request: HttpRequest, name: str) -> HttpResponseBase:
    container = await Container.objects.afind(settings.MUELLE_NODE, name)
    return await transfers.give("containers.export", "application/octet-stream", id=container.id)


async def _put(request: HttpRequest, container_id: str, path: str) -> HttpResponse:
    await transfers.take(
        "containers.archive_put",
        transfers.upload(request),
        id=container_id,
        path=path,
        no_overwrite_dir_non_dir=parameters.boolean(request.GET.get("noOverwriteDirNonDir")),
        copy_uid_gid=parameters.boolean(request.GET.get("copyUIDGID")),
    )
    response = HttpResponse()
    del response.headers["Content-Type"]
    return response


def _encode(stat: dict[str, Any]) -> str:
    """Padded standard base64, which Go's client decodes."""
    return base64.b64encode(orjson.dumps(stat)).decode()
