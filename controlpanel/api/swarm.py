"""The swarm family: this node is in no swarm, and says so as a Docker node does."""

from __future__ import annotations

from django.urls import re_path

from controlpanel.rest.views import not_built
from engine.errors import Unavailable

NO_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)
NO_MEMBER = "This node is not part of a swarm"
NOT_BUILT = "muelle does not form swarms yet"

_view = not_built(NO_MANAGER, Unavailable, GET="system.view", POST="system.manage", DELETE="system.manage")

urlpatterns = [
    re_path(r"^swarm/leave$", not_built(NO_MEMBER, Unavailable, POST="system.manage")),
    re_path(r"^swarm/(?:init|join)$", not_built(NOT_BUILT, POST="system.manage")),
    re_path(r"^swarm(?:/(?:update|unlock|unlockkey))?$", _view),
    re_path(r"^(?:nodes|services|tasks|secrets|configs)(?:/.+)?$", _view),
]
