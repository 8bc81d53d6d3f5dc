"""What the API names and Muelle does not build: each path answers 501 with a sentence. And plugins: there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import re_path
from rest_framework.response import Response

from controlpanel.api import answers
from controlpanel.rest.openapi import Operation
from controlpanel.rest.views import EngineView, not_built
from engine.errors import NotFound

if TYPE_CHECKING:
    from rest_framework.request import Request

BUILD = "muelle does not build images yet: build elsewhere, then docker save and docker load"
REGISTRY = "muelle does not speak to registries yet: use docker save and docker load"
EXPERIMENTAL = (
    "This experimental feature is disabled by default. "
    "Start the Docker daemon in experimental mode in order to enable it."
)


class BuildCachePruneView(EngineView):
    """There is no build cache, so there is nothing to remove; `docker system prune` asks."""

    actions = {"POST": "images.build"}
    operations = {"POST": Operation("Remove the build cache: there is none", answer=answers.CachePruned)}

    def post(self, request: Request) -> Response:
        return Response({"CachesDeleted": None, "SpaceReclaimed": 0})


class PluginListView(EngineView):
    actions = {"GET": "system.view"}

    def get(self, request: Request) -> Response:
        return Response([])


class PluginView(EngineView):
    """Any plugin by name: there is none."""

    actions = {"GET": "system.view", "POST": "system.manage", "DELETE": "system.manage"}

    def refuse(self, request: Request, name: str) -> Response:
        raise NotFound(f'plugin "{name}" not found')

    get = post = delete = refuse


# Below the path that each list is named for; the last is for the root.
IMAGES = [
    re_path(r"^search$", not_built(REGISTRY, GET="images.search")),
    re_path(r"^.+/push$", not_built(REGISTRY, POST="images.push")),
]
CONTAINERS = [
    re_path(
        r"^.+/checkpoints(?:/.+)?$",
        not_built(EXPERIMENTAL, GET="containers.view", POST="containers.checkpoint", DELETE="containers.checkpoint"),
    ),
]
OTHER = [
    re_path(r"^auth$", not_built(REGISTRY, POST="images.pull")),
    re_path(r"^build$", not_built(BUILD, POST="images.build")),
    re_path(r"^build/prune$", BuildCachePruneView.as_view()),
    re_path(r"^build/cancel$", not_built(BUILD, POST="images.build")),
    re_path(r"^(?:session|grpc)$", not_built(BUILD, POST="images.build")),
    re_path(r"^commit$", not_built("muelle does not commit containers to images yet", POST="containers.commit")),
    re_path(r"^distribution/.+/json$", not_built(REGISTRY, GET="images.view")),
    re_path(r"^plugins$", PluginListView.as_view()),
    re_path(r"^plugins/privileges$", not_built("muelle does not run plugins", GET="system.view")),
    re_path(r"^plugins/(?:pull|create)$", not_built("muelle does not run plugins", POST="system.manage")),
    re_path(r"^plugins/(?P<name>.+?)(?:/(?:json|enable|disable|push|upgrade|set))?$", PluginView.as_view()),
]
