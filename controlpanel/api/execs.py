"""Exec sessions: create, inspect, resize. Starting one takes the connection over and belongs to the streams."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.response import Response

from controlpanel.api import query
from controlpanel.api.views import EngineView, empty
from controlpanel.objects import events
from controlpanel.objects.models import Container, Exec
from controlpanel.objects.states import Status
from engine.containers import config, wire
from engine.errors import Conflict, MuelleError, NotFound, Unavailable

if TYPE_CHECKING:
    from rest_framework.request import Request


# How long an inspect waits for the monitor to record the end of a session whose shim has gone.
RECORD_SECONDS = 1.0


class ExecCreateView(EngineView):
    actions = {"POST": "containers.exec"}

    def post(self, request: Request, reference: str) -> Response:
        wanted = config.decode_exec(self.body())
        container = Container.objects.find(self.node, reference)
        _require_running(container, reference)
        row = Exec.objects.create(id=secrets.token_hex(32), container=container, config=wanted, created=time.time_ns())
        action = f"exec_create: {' '.join(wanted['Cmd'])}"
        events.publish_all([events.of_container(container, action, execID=row.id)])
        return Response({"Id": row.id}, status=201)


def _require_running(container: Container, reference: str) -> None:
    if container.status == Status.PAUSED:
        raise Conflict(f"Container {reference} is paused, unpause the container before exec")
    if container.status == Status.RESTARTING:
        raise Conflict(f"Container {reference} is restarting, wait until the container is running")
    if not container.is_alive:
        raise Conflict(f"container {container.id} is not running")


class ExecInspectView(EngineView):
    actions = {"GET": "containers.view"}

    def get(self, request: Request, reference: str) -> Response:
        row = Exec.objects.find(self.node, reference)
        return Response(_render(row, _state(row)))


def _state(row: Exec) -> dict[str, Any]:
    """What the container's shim knows; what the row knows once the shim is gone or has never seen it."""
    known = {"running": row.running, "exit_code": row.exit_code, "pid": row.pid}
    if not row.started:
        return known
    try:
        return wire.call(settings.MUELLE_LAYOUT.shim_socket(row.container_id), {"op": "exec_state", "id": row.id})
    except (Unavailable, NotFound):
        return _last_known(row)


def _last_known(row: Exec) -> dict[str, Any]:
    """What the row says, once the monitor has heard of the end: a client may ask sooner than it has."""
    deadline = time.monotonic() + RECORD_SECONDS
    while row.running and time.monotonic() < deadline:
        time.sleep(0.01)
        row = Exec.objects.find(settings.MUELLE_NODE, row.id)
    return {"running": False, "exit_code": row.exit_code, "pid": row.pid}


def _render(row: Exec, state: dict[str, Any]) -> dict[str, Any]:
    wanted = row.config
    process = {
        "tty": wanted["Tty"],
        "entrypoint": wanted["Cmd"][0],
        "arguments": wanted["Cmd"][1:],
        "privileged": wanted["Privileged"],
    }
    if wanted["User"]:
        process["user"] = wanted["User"]
    return {
        "ID": row.id,
        "Running": state["running"],
        "ExitCode": None if state["running"] else state["exit_code"],
        "ProcessConfig": process,
        "OpenStdin": wanted["AttachStdin"],
        "OpenStderr": wanted["AttachStderr"],
        "OpenStdout": wanted["AttachStdout"],
        "CanRemove": False,
        "ContainerID": row.container_id,
        "DetachKeys": wanted["DetachKeys"],
        "Pid": state["pid"] or 0,
    }


class ExecResizeView(EngineView):
    actions = {"POST": "containers.resize"}

    def post(self, request: Request, reference: str) -> Response:
        height = query.dimension(request.query_params, "h", "height")
        width = query.dimension(request.query_params, "w", "width")
        row = Exec.objects.find(self.node, reference)
        message = {"op": "resize", "exec": row.id, "height": height, "width": width}
        try:
            wire.call(settings.MUELLE_LAYOUT.shim_socket(row.container_id), message)
        except MuelleError as error:
            # The client resizes right after the start and again until it works.
            raise Conflict(f"exec session {row.id} has no terminal: {error}") from error
        return empty()
