"""``/images/load``, ``/images/get`` and ``/images/create``: image archives in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse, HttpResponseBase

from controlpanel.contracts import images as contract
from controlpanel.contracts.images import SavedImage
from controlpanel.rest import query
from controlpanel.rest.openapi import LINES, PLATFORM, TAR, Operation, flag, word
from controlpanel.rest.views import EngineView, in_thread
from controlpanel.streams import changes, transfers
from controlpanel.streams.responses import JSON
from engine.errors import InvalidArgument, MuelleError, Unavailable, Unsupported
from engine.images import platforms, references
from engine.images.platforms import Platform

if TYPE_CHECKING:
    from rest_framework.request import Request


class LoadView(EngineView):
    actions = {"POST": "images.load"}
    operations = {
        "POST": Operation("Load images", query=(flag("quiet", "no progress"), PLATFORM), body=TAR, answer=LINES)
    }

    async def post(self, request: Request) -> HttpResponseBase:
        """A bad archive is a message in an answer of 200, as in Docker: docker-py knows an ImageLoadError by that."""
        project, quiet = self.scope.project, query.flag(request.query_params, "quiet")
        platform = _platform(self, request)
        wanted = str(platform) if platform else None
        body = transfers.upload(request._request)
        try:
            return await transfers.give(
                lambda ticket: contract.load(self.scope, project, ticket, quiet, wanted), JSON, body, report_inside=True
            )
        except Unavailable:
            raise
        except MuelleError as error:
            return HttpResponse(transfers.error_object(error), content_type=JSON)


class SaveView(EngineView):
    actions = {"GET": "images.save"}
    operations = {
        "GET": Operation(
            "Save images", query=(word("names", "images, where the path names none", many=True), PLATFORM), answer=TAR
        )
    }

    async def get(self, request: Request, name: str = "") -> HttpResponseBase:
        parameters = request.query_params
        names = [name] if name else [each for text in parameters.getlist("names") for each in text.split(",") if each]
        if not names:
            raise InvalidArgument("no images to save")
        chosen = await in_thread(self._chosen)(names, _platform(self, request))
        return await transfers.give(lambda ticket: contract.save(self.scope, chosen, ticket), TAR)

    def _chosen(self, names: list[str], platform: Platform | None) -> list[SavedImage]:
        """Images with the names that the archive gives them: none when asked for by ID."""
        chosen: dict[int, list[str]] = {}
        for name in names:
            image = self.scope.image(name, self.action)
            if platform:
                platforms.check_export(image.config, platform)
            chosen.setdefault(image.pk, []).extend(filter(None, [image.owned_name(name)]))
        return [{"image": key, "names": list(dict.fromkeys(tags))} for key, tags in chosen.items()]


class CreateView(EngineView):
    """``docker import``, and one day ``docker pull``."""

    actions = {"POST": "images.import"}
    operations = {
        "POST": Operation(
            "Import an image",
            query=(
                word("fromSrc", "- for the body", required=True),
                word("repo", "its repository"),
                word("tag", "its tag"),
                word("message", "its comment"),
                word("platform", "os[/arch[/variant]]"),
                word("changes", "a Dockerfile instruction", many=True),
                word("fromImage", "pulls: not built"),
            ),
            body=TAR,
            answer=LINES,
        )
    }

    async def post(self, request: Request) -> HttpResponseBase:
        parameters = request.query_params
        source = parameters.get("fromSrc", "")
        if source != "-":
            wanted = f"importing from {source}" if source else "pulling images from a registry"
            raise Unsupported(
                f"{wanted} is not built yet: load an archive made by docker save, or import a tar archive"
            )
        name = _name(parameters.get("repo", ""), parameters.get("tag", ""))
        config = changes.apply(parameters.getlist("changes"))
        comment = parameters.get("message") or "Imported from -"
        platform = parameters.get("platform") if self.version >= (1, 32) else None
        if platform:
            platforms.parse(platform)
        project = self.scope.project
        return await transfers.give(
            lambda ticket: contract.import_(self.scope, project, ticket, config, comment, name, platform or None),
            JSON,
            transfers.upload(request._request),
            report_inside=True,
        )


def _name(repository: str, tag: str) -> str | None:
    """The canonical name that the image is to have."""
    if not repository:
        return None
    return references.parse_tag(f"{repository}:{tag}" if tag else repository).canonical


def _platform(view: EngineView, request: Request) -> Platform | None:
    """The platform that load and save are asked for, since version 1.48."""
    text = request.query_params.get("platform") if view.version >= (1, 48) else None
    return platforms.decode(text) if text else None
