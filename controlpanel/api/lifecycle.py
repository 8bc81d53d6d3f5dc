"""Verbs that move a container: start, stop, restart, kill, pause, unpause; and the size of its terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from controlpanel.contracts import containers
from controlpanel.objects import events
from controlpanel.rest import query
from controlpanel.rest.openapi import SIZE, Operation, integer, word
from controlpanel.rest.views import EngineView, empty, in_thread
from controlpanel.streams import shims
from engine.containers.config import signals as config_signals
from engine.errors import Conflict, InvalidArgument, Unavailable, Unsupported

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from controlpanel.contracts.results import Changed

# Docker accepts what amounts to an empty object and refuses the host configurations of API 1.21.
MAX_START_BODY = 7
HOW_TO_STOP = (
    integer("t", "seconds until it is killed, -1 for never; the container's own by default"),
    word("signal", "the signal to stop with; the container's own by default"),
)


class StartView(EngineView):
    actions = {"POST": "containers.start"}
    operations = {
        "POST": Operation(
            "Start a container",
            query=(word("checkpoint", "not built"), word("detachKeys", "ignored")),
            status=204,
            others={304: "It runs already"},
        )
    }

    async def post(self, request: Request, reference: str) -> Response:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if "HTTP_TRANSFER_ENCODING" in request.META or not length.isdecimal() or int(length) > MAX_START_BODY:
            raise InvalidArgument("starting container with non-empty request body was deprecated since API v1.22 "
                                  "and removed in v1.24")  # fmt: skip
        if request.query_params.get("checkpoint"):
            raise Unsupported("muelle does not make checkpoints yet")
        container = await self.scope.find_container(reference, self.action)
        return _changed(await containers.start(self.scope, container.id))


def _changed(answer: Changed) -> Response:
    """204, or 304 when the container was so already."""
    return empty(204 if answer["changed"] else 304)


class StopView(EngineView):
    actions = {"POST": "containers.stop"}
    operations = {"POST": Operation("Stop a container", query=HOW_TO_STOP, status=204, others={304: "It does not run"})}

    async def post(self, request: Request, reference: str) -> Response:
        seconds, signal = self.asked(request)
        container = await self.scope.find_container(reference, self.action)
        return _changed(await containers.stop(self.scope, container.id, timeout=seconds, signal=signal))

    def asked(self, request: Request) -> tuple[int | None, str | None]:
        """The time and the signal that the client names."""
        seconds = query.integer(request.query_params, "t")
        signal = request.query_params.get("signal") if self.version >= (1, 42) else None
        if signal:
            config_signals.number(signal)
        return seconds, signal or None


class RestartView(StopView):
    actions = {"POST": "containers.restart"}
    operations = {"POST": Operation("Restart a container", query=HOW_TO_STOP, status=204)}

    async def post(self, request: Request, reference: str) -> Response:
        seconds, signal = self.asked(request)
        container = await self.scope.find_container(reference, self.action)
        await containers.restart(self.scope, container.id, timeout=seconds, signal=signal)
        return empty(204)


class KillView(EngineView):
    actions = {"POST": "containers.kill"}
    operations = {
        "POST": Operation("Send a signal", query=(word("signal", "name or number, KILL by default"),), status=204)
    }

    async def post(self, request: Request, reference: str) -> Response:
        signal = request.query_params.get("signal") or None
        container = await self.scope.find_container(reference, self.action)
        try:
            if signal is not None:
                config_signals.number(signal)
            await containers.kill(self.scope, container.id, signal)
        except (InvalidArgument, Conflict) as error:
            raise type(error)(f"cannot kill container: {reference}: {error.message}") from None
        return empty(204)


class PauseView(EngineView):
    actions = {"POST": "containers.pause"}
    operations = {"POST": Operation("Freeze a container", status=204)}

    async def post(self, request: Request, reference: str) -> Response:
        container = await self.scope.find_container(reference, self.action)
        await containers.pause(self.scope, container.id)
        return empty(204)


class UnpauseView(EngineView):
    actions = {"POST": "containers.unpause"}
    operations = {"POST": Operation("Let a frozen container go on", status=204)}

    async def post(self, request: Request, reference: str) -> Response:
        container = await self.scope.find_container(reference, self.action)
        await containers.unpause(self.scope, container.id)
        return empty(204)


class ResizeView(EngineView):
    actions = {"POST": "containers.resize"}
    operations = {"POST": Operation("Resize a container's terminal", query=SIZE)}

    async def post(self, request: Request, reference: str) -> Response:
        height = query.dimension(request.query_params, "h", "height")
        width = query.dimension(request.query_params, "w", "width")
        container = await self.scope.find_container(reference, self.action)
        if not container.is_alive:
            raise Conflict(f"container {container.id} is not running")
        message = {"op": "resize", "exec": None, "height": height, "width": width}
        try:
            await shims.call(settings.MUELLE_LAYOUT.shim_socket(container.id), message)
        except Unavailable as error:
            raise Conflict(f"container {container.id} is not running") from error
        happened = events.of_container(container, "resize", height=height, width=width)
        await in_thread(events.publish_all)([happened])
        return empty()
