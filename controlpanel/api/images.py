"""Images: list, inspect, history, tag, remove, prune; search, push and pull are not built."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rest_framework.response import Response

from controlpanel.access.scope import Scope
from controlpanel.api import answers, images_rendering
from controlpanel.contracts import images as contract
from controlpanel.objects.models import Image
from controlpanel.rest import filters, openapi, query
from controlpanel.rest.filters import Filters
from controlpanel.rest.openapi import PLATFORM, Operation, flag, word
from controlpanel.rest.versions import Version
from controlpanel.rest.views import EngineView, empty, in_thread
from engine import rfc3339
from engine.errors import InvalidArgument
from engine.images import platforms, references

if TYPE_CHECKING:
    from rest_framework.request import Request

KEYS = ("before", "dangling", "label", "label!", "reference", "since", "until")
PRUNE_KEYS = ("dangling", "label", "label!", "until")


class ImageListView(EngineView):
    actions = {"GET": "images.view"}
    operations = {
        "GET": Operation(
            "List images",
            query=(
                flag("all", "those too that are only layers of others"),
                flag("shared-size", "with bytes shared"),
                flag("digests", "ignored: they are always shown"),
                openapi.filters(*KEYS),
            ),
            answer=list[answers.ImageSummary],
        )
    }

    async def get(self, request: Request) -> Response:
        wanted = query.flag(request.query_params, "shared-size")
        layers = await contract.layer_sizes(self.scope) if wanted else None
        return Response(await in_thread(self._list)(request, layers))

    def _list(self, request: Request, layers: dict[str, int] | None) -> list[dict[str, Any]]:
        parameters = request.query_params
        chosen = filters.parse(parameters, KEYS)
        images = list(self.scope.images().prefetch_related("references"))
        # An untagged parent of another image is shown with ``all`` only.
        parents = set() if query.flag(parameters, "all") else {image.parent_id for image in images}
        tests = _tests(self.scope, chosen)
        shown = [
            entry
            for image in images
            for entry in [_entry(image, chosen)]
            if all(test(image, entry) for test in tests) and (entry["RepoTags"] or image.image_id not in parents)
        ]
        if layers is not None:
            shared = images_rendering.shared_sizes(images, layers)
            for entry in shown:
                entry["SharedSize"] = shared[entry["Id"]]
        shown.sort(key=lambda entry: -entry["Created"])
        return [images_rendering.for_version(entry, self.version) for entry in shown]


Test = Callable[[Image, dict[str, Any]], bool]


def _entry(image: Image, chosen: Filters) -> dict[str, Any]:
    """The image's summary; with a ``reference`` filter only the names that it fits."""
    entry = images_rendering.summary(image)
    if wanted := chosen.values_of("reference"):
        for field in ("RepoTags", "RepoDigests"):
            entry[field] = [name for name in entry[field] if any(references.fits(pattern, name) for pattern in wanted)]
    return entry


def _tests(scope: Scope, chosen: Filters) -> list[Test]:
    tests: list[Test] = []
    dangling = chosen.flag("dangling")
    if dangling is not None:
        tests.append(lambda image, entry: (not entry["RepoTags"] and not entry["RepoDigests"]) == dangling)
    if chosen.values_of("reference"):
        tests.append(lambda image, entry: bool(entry["RepoTags"] or entry["RepoDigests"]))
    if {"label", "label!"} & chosen.keys():
        tests.append(lambda image, entry: chosen.labels_match(entry["Labels"]))
    limits = [filters.moment(text, time.time_ns()) // rfc3339.NANO for text in chosen.values_of("until")]
    limits += [_created(scope, name) for name in chosen.values_of("before")]
    if limits:
        before = min(limits)
        tests.append(lambda image, entry: entry["Created"] < before)
    if chosen.values_of("since"):
        since = max(_created(scope, name) for name in chosen["since"])
        tests.append(lambda image, entry: entry["Created"] > since)
    return tests


def _created(scope: Scope, name: str) -> int:
    return images_rendering.created(scope.image(name, "images.view"))


class ImageInspectView(EngineView):
    actions = {"GET": "images.view"}
    operations = {"GET": Operation("Inspect an image", query=(PLATFORM,), answer=answers.ImageInspect)}

    def get(self, request: Request, name: str) -> Response:
        image = self.scope.image(name, self.action)
        _check_platform(self, request, image, name, (1, 49))
        return Response(images_rendering.inspect(image, self.version))


class ImageHistoryView(EngineView):
    actions = {"GET": "images.view"}
    operations = {"GET": Operation("How an image was made", query=(PLATFORM,), answer=list[answers.HistoryItem])}

    async def get(self, request: Request, name: str) -> Response:
        image = await self.scope.find_image(name, self.action)
        _check_platform(self, request, image, name, (1, 48))
        sizes = await contract.layer_sizes(self.scope)
        return Response(await in_thread(images_rendering.history)(image, sizes))


def _check_platform(view: EngineView, request: Request, image: Image, name: str, since: Version) -> None:
    """Refuse an image for another platform than the one asked for, from the version on that has the parameter."""
    if view.version >= since and (text := request.query_params.get("platform")):
        platforms.check(image.config, name, platforms.decode(text))


class ImageTagView(EngineView):
    actions = {"POST": "images.tag"}
    operations = {
        "POST": Operation(
            "Give an image another name",
            query=(word("repo", "the repository", required=True), word("tag", "latest by default")),
            status=201,
        )
    }

    async def post(self, request: Request, name: str) -> Response:
        repository, tag = request.query_params.get("repo", ""), request.query_params.get("tag", "")
        wanted = references.parse_tag(f"{repository}:{tag}" if tag else repository)
        image = await self.scope.find_image(name, self.action)
        await contract.tag(self.scope, image.pk, wanted.canonical)
        return empty(201)


class ImageView(EngineView):
    """``/images/{name}``."""

    actions = {"DELETE": "images.remove"}
    operations = {
        "DELETE": Operation(
            "Remove an image or one of its names",
            query=(flag("force", "also when containers use it"), flag("noprune", "keep untagged parents")),
            answer=answers.ImageDeletes,
        )
    }

    async def delete(self, request: Request, name: str) -> Response:
        force, keep = query.flag(request.query_params, "force"), query.flag(request.query_params, "noprune")
        if not name.strip():
            raise InvalidArgument("image name cannot be blank")
        image, owned = await in_thread(self._named)(name)
        return Response(await contract.remove(self.scope, image.pk, owned, force=force, prune=not keep))

    def _named(self, name: str) -> tuple[Image, str | None]:
        """The image, and which of its names the client said; None when it said the ID."""
        image = self.scope.image(name, self.action)
        return image, image.owned_name(name)


class ImagePruneView(EngineView):
    actions = {"POST": "images.prune"}
    operations = {
        "POST": Operation(
            "Remove images that nobody uses", query=(openapi.filters(*PRUNE_KEYS),), answer=answers.ImagesPruned
        )
    }

    async def post(self, request: Request) -> Response:
        chosen = filters.parse(request.query_params, PRUNE_KEYS)
        dangling = chosen.flag("dangling") is not False
        unused = await in_thread(self._unused)(chosen, dangling)
        pruned = await contract.prune(self.scope, self.scope.project, unused, dangling=dangling)
        return Response({"ImagesDeleted": pruned["records"], "SpaceReclaimed": pruned["reclaimed"]})

    def _unused(self, chosen: Filters, dangling: bool) -> list[int]:
        """Row keys of the dangling images, or of all, that fit the filters."""
        rows = self.scope.images()
        if dangling:
            rows = rows.filter(references=None)
        limit = chosen.until()
        return [
            row.pk
            for row in rows
            if chosen.labels_match(images_rendering.labels(row))
            and (limit is None or images_rendering.created(row) < limit // rfc3339.NANO)
        ]
