"""Verbs that move a container: start, stop, restart, kill, pause, unpause; and the size of its terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from controlpanel.api import query
from controlpanel.api.views import EngineView, empty
from controlpanel.objects import events
from controlpanel.objects.models import Container
from controlpanel.rpc import calls
from engine.containers import wire
from engine.containers.config import signals as config_signals
from engine.errors import Conflict, InvalidArgument, Unsupported

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

# Docker accepts what amounts to an empty object and refuses the host configurations of API 1.21.
MAX_START_BODY = 7
MARGIN = 60.0
GRACE = 10.0


class StartView(EngineView):
    actions = {"POST": "containers.start"}

    def post(self, request: Request, reference: str) -> Response:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if "HTTP_TRANSFER_ENCODING" in request.META or not length.isdecimal() or int(length) > MAX_START_BODY:
            raise InvalidArgument("starting container with non-empty request body was deprecated since API v1.22 "
                                  "and removed in v1.24")  # fmt: skip
        if request.query_params.get("checkpoint"):
            raise Unsupported("muelle does not make checkpoints yet")
        return _changed(calls.call_sync("containers.start", id=reference))


def _changed(answer: dict[str, bool]) -> Response:
    """204, or 304 when the container was so already."""
    return empty(204 if answer["changed"] else 304)


class StopView(EngineView):
    actions = {"POST": "containers.stop"}
    operation = "containers.stop"

    def post(self, request: Request, reference: str) -> Response:
        seconds = query.integer(request.query_params, "t")
        signal = request.query_params.get("signal") if self.version >= (1, 42) else None
        if signal:
            config_signals.number(signal)
        answer = calls.call_sync(
            self.operation, timeout=_patience(seconds), id=reference, timeout_=seconds, signal=signal or None
        )
        return self.answer(answer)

    def answer(self, answer: dict[str, bool]) -> Response:
        return _changed(answer)


def _patience(seconds: int | None) -> float | None:
    """How long to wait for the worker: without end when the client wants no kill, or leaves it to the container."""
    return None if seconds is None or seconds < 0 else seconds + MARGIN


class RestartView(StopView):
    actions = {"POST": "containers.restart"}
    operation = "containers.restart"

    def answer(self, answer: dict[str, bool]) -> Response:
        return empty(204)


class KillView(EngineView):
    actions = {"POST": "containers.kill"}

    def post(self, request: Request, reference: str) -> Response:
        signal = request.query_params.get("signal") or None
        if signal is not None:
            try:
                config_signals.number(signal)
            except InvalidArgument as error:
                raise InvalidArgument(f"cannot kill container: {reference}: {error}") from None
        calls.call_sync("containers.kill", id=reference, signal=signal)
        return empty(204)


class PauseView(EngineView):
    actions = {"POST": "containers.pause"}

    def post(self, request: Request, reference: str) -> Response:
        calls.call_sync("containers.pause", id=reference)
        return empty(204)


class UnpauseView(EngineView):
    actions = {"POST": "containers.unpause"}

    def post(self, request: Request, reference: str) -> Response:
        calls.call_sync("containers.unpause", id=reference)
        return empty(204)


class ResizeView(EngineView):
    actions = {"POST": "containers.resize"}

    def post(self, request: Request, reference: str) -> Response:
        height = query.dimension(request.query_params, "h", "height")
        width = query.dimension(request.query_params, "w", "width")
        container = Container.objects.find(self.node, reference)
        if not container.is_alive:
            raise Conflict(f"container {container.id} is not running")
        message = {"op": "resize", "exec": None, "height": height, "width": width}
        wire.call(settings.MUELLE_LAYOUT.shim_socket(container.id), message)
        events.publish_all([events.of_container(container, "resize", height=height, width=width)])
        return empty()
