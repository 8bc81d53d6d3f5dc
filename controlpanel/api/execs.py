"""Exec sessions: create, inspect, resize. Starting one takes the connection over and belongs to the streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.response import Response

from controlpanel.api import answers
from controlpanel.objects.models import Exec
from controlpanel.rest import query
from controlpanel.rest.openapi import SIZE, Operation
from controlpanel.rest.views import EngineView, empty
from controlpanel.streams import execs
from controlpanel.streams.execs import State
from engine.containers import config
from engine.containers.config.objects import ExecConfig

if TYPE_CHECKING:
    from rest_framework.request import Request


class ExecCreateView(EngineView):
    actions = {"POST": "containers.exec"}
    operations = {
        "POST": Operation("Prepare a command in a container", body=ExecConfig, status=201, answer=answers.IDResponse)
    }

    async def post(self, request: Request, reference: str) -> Response:
        session = await execs.create(self.scope, reference, config.decode_exec(self.body()))
        return Response({"Id": session.id}, status=201)


class ExecInspectView(EngineView):
    actions = {"GET": "containers.view"}
    operations = {"GET": Operation("Inspect an exec", answer=answers.ExecInspect)}

    async def get(self, request: Request, reference: str) -> Response:
        session = await self.scope.find_exec(reference, self.action)
        return Response(_render(session, await execs.state(session)))


def _render(session: Exec, state: State) -> dict[str, Any]:
    wanted = session.config
    command = wanted["Cmd"] or [""]
    process = {
        "tty": wanted["Tty"],
        "entrypoint": command[0],
        "arguments": command[1:],
        "privileged": wanted["Privileged"],
    }
    if wanted["User"]:
        process["user"] = wanted["User"]
    return {
        "ID": session.id,
        "Running": state["running"],
        "ExitCode": None if state["running"] else state["exit_code"],
        "ProcessConfig": process,
        "OpenStdin": wanted["AttachStdin"],
        "OpenStderr": wanted["AttachStderr"],
        "OpenStdout": wanted["AttachStdout"],
        "CanRemove": False,
        "ContainerID": session.container_id,
        "DetachKeys": wanted["DetachKeys"],
        "Pid": state["pid"] or 0,
    }


class ExecResizeView(EngineView):
    actions = {"POST": "containers.resize"}
    operations = {"POST": Operation("Resize an exec's terminal", query=SIZE)}

    async def post(self, request: Request, reference: str) -> Response:
        height = query.dimension(request.query_params, "h", "height")
        width = query.dimension(request.query_params, "w", "width")
        await execs.resize(await self.scope.find_exec(reference, self.action), height, width)
        return empty()
