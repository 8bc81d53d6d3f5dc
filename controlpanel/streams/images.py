"""``/images/load``, ``/images/get`` and ``/images/create``: image archives in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from controlpanel.access.decorators import guarded
from controlpanel.streams import changes, parameters, transfers
from controlpanel.streams.responses import JSON
from engine.errors import InvalidArgument, MuelleError, Unavailable, Unsupported

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

TAR = "application/x-tar"


@require_POST
@guarded("images.load")
async def load(request: HttpRequest) -> HttpResponseBase:
    """A bad archive is a message in an answer of 200, as in Docker: docker-py knows an ImageLoadError by that."""
    quiet = parameters.boolean(request.GET.get("quiet"))
    try:
        return await transfers.give("images.load", JSON, transfers.upload(request), report_inside=True, quiet=quiet)
    except Unavailable:
        raise
    except MuelleError as error:
        return HttpResponse(transfers.error_object(error), content_type=JSON)


@require_GET
@guarded("images.save")
async def save(request: HttpRequest, name: str = "") -> HttpResponseBase:
    names = [name] if name else [each for value in request.GET.getlist("names") for each in value.split(",") if each]
    if not names:
        raise InvalidArgument("no images to save")
    return await transfers.give("images.save", TAR, names=names)


@require_POST
@guarded("images.load")
async def create(request: HttpRequest) -> HttpResponseBase:
    source = request.GET.get("fromSrc", "")
    if source != "-":
        wanted = f"importing from {source}" if source else "pulling images from a registry"
        raise Unsupported(f"{wanted} is not built yet: load an archive made by docker save, or import a tar archive")
    return await transfers.give(
        "images.import_",
        JSON,
        transfers.upload(request),
        report_inside=True,
        reference=_reference(request.GET.get("repo", ""), request.GET.get("tag", "")),
        config=_config(request),
    )


def _reference(repository: str, tag: str) -> str | None:
    if not repository:
        return None
    return f"{repository}:{tag}" if tag else repository


def _config(request: HttpRequest) -> dict[str, Any]:
    """What the new image's configuration document gets beside its layer."""
    return {
        "config": changes.apply(request.GET.getlist("changes")),
        "comment": request.GET.get("message") or "Imported from -",
    }
