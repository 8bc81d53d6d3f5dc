"""Images: list, inspect, history, tag, remove, prune; search, push and pull are not built."""

from __future__ import annotations

import fnmatch
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rest_framework.response import Response

from controlpanel.api import filters, images_rendering, query
from controlpanel.api.filters import Filters
from controlpanel.api.views import EngineView, empty
from controlpanel.objects import times
from controlpanel.objects.models import Image
from controlpanel.rpc import calls
from engine.errors import InvalidArgument
from engine.images import references

if TYPE_CHECKING:
    from rest_framework.request import Request

KEYS = ("before", "dangling", "label", "label!", "reference", "since", "until")
LONG = 600.0


class ImageListView(EngineView):
    actions = {"GET": "images.view"}

    def get(self, request: Request) -> Response:
        parameters = request.query_params
        chosen = filters.parse(parameters, KEYS)
        images = list(Image.objects.filter(node_id=self.node).prefetch_related("references"))
        # An untagged parent of another image is shown with ``all`` only.
        parents = set() if query.flag(parameters, "all") else {image.parent_id for image in images}
        tests = _tests(self.node, chosen)
        shown = [
            entry
            for image in images
            for entry in [_entry(image, chosen)]
            if all(test(image, entry) for test in tests) and (entry["RepoTags"] or image.image_id not in parents)
        ]
        if query.flag(parameters, "shared-size"):
            self._add_shared(images, shown)
        shown.sort(key=lambda entry: -entry["Created"])
        return Response([images_rendering.for_version(entry, self.version) for entry in shown])

    def _add_shared(self, images: list[Image], shown: list[dict[str, Any]]) -> None:
        sizes: dict[str, int] = calls.call_sync("system.df_sizes")
        uses = Counter(layer for image in images for layer in set(image.layers))
        layers = {image.image_id: set(image.layers) for image in images}
        for entry in shown:
            entry["SharedSize"] = sum(sizes.get(layer, 0) for layer in layers[entry["Id"]] if uses[layer] > 1)


Test = Callable[[Image, dict[str, Any]], bool]


def _entry(image: Image, chosen: Filters) -> dict[str, Any]:
    """The image's summary; with a ``reference`` filter only the names that it fits."""
    entry = images_rendering.summary(image)
    if wanted := chosen.values_of("reference"):
        for field in ("RepoTags", "RepoDigests"):
            entry[field] = [name for name in entry[field] if any(_fits(name, pattern) for pattern in wanted)]
    return entry


def _fits(name: str, pattern: str) -> bool:
    """Docker matches the whole familiar name, or the name without its tag."""
    bare = name.partition("@")[0] if "@" in name else name.rpartition(":")[0]
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(bare, pattern)


def _tests(node: str, chosen: Filters) -> list[Test]:
    tests: list[Test] = []
    dangling = chosen.flag("dangling")
    if dangling is not None:
        tests.append(lambda image, entry: (not entry["RepoTags"] and not entry["RepoDigests"]) == dangling)
    if chosen.values_of("reference"):
        tests.append(lambda image, entry: bool(entry["RepoTags"] or entry["RepoDigests"]))
    if {"label", "label!"} & chosen.keys():
        tests.append(lambda image, entry: chosen.labels_match(entry["Labels"]))
    limits = [filters.moment(text, time.time_ns()) // times.NANO for text in chosen.values_of("until")]
    limits += [_created(node, name) for name in chosen.values_of("before")]
    if limits:
        before = min(limits)
        tests.append(lambda image, entry: entry["Created"] < before)
    if chosen.values_of("since"):
        since = max(_created(node, name) for name in chosen["since"])
        tests.append(lambda image, entry: entry["Created"] > since)
    return tests


def _created(node: str, name: str) -> int:
    return images_rendering.created(Image.objects.find(node, name))


class ImageInspectView(EngineView):
    actions = {"GET": "images.view"}

    def get(self, request: Request, name: str) -> Response:
        return Response(images_rendering.inspect(Image.objects.find(self.node, name), self.version))


class ImageHistoryView(EngineView):
    actions = {"GET": "images.view"}

    def get(self, request: Request, name: str) -> Response:
        image = Image.objects.find(self.node, name)
        return Response(images_rendering.history(image, calls.call_sync("system.df_sizes")))


class ImageTagView(EngineView):
    actions = {"POST": "images.tag"}

    def post(self, request: Request, name: str) -> Response:
        repository, tag = request.query_params.get("repo", ""), request.query_params.get("tag", "")
        wanted = references.parse(f"{repository}:{tag}" if tag else repository)
        if wanted.digest:
            raise InvalidArgument("refusing to create a tag with a digest reference")
        calls.call_sync("images.tag", name=name, reference=wanted.canonical)
        return empty(201)


class ImageView(EngineView):
    """``/images/{name}``."""

    actions = {"DELETE": "images.remove"}

    def delete(self, request: Request, name: str) -> Response:
        force, keep = query.flag(request.query_params, "force"), query.flag(request.query_params, "noprune")
        if not name.strip():
            raise InvalidArgument("image name cannot be blank")
        return Response(calls.call_sync("images.remove", timeout=LONG, name=name, force=force, prune=not keep))


class ImagePruneView(EngineView):
    actions = {"POST": "images.prune"}

    def post(self, request: Request) -> Response:
        chosen = filters.parse(request.query_params, ("dangling", "label", "label!", "until"))
        return Response(calls.call_sync("images.prune", timeout=LONG, filters=chosen))
