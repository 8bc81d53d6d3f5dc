"""``/containers/{id}/archive`` and ``/containers/{id}/export``: files of a container as tar archives."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import orjson
from django.http import HttpResponse, HttpResponseBase

from controlpanel.contracts import containers
from controlpanel.contracts.containers import PathStat
from controlpanel.rest import query
from controlpanel.rest.openapi import TAR, Operation, flag, word
from controlpanel.rest.views import EngineView
from controlpanel.streams import transfers
from engine.errors import InvalidArgument

if TYPE_CHECKING:
    from rest_framework.request import Request

STREAM = "application/octet-stream"
STAT_HEADER = "X-Docker-Container-Path-Stat"
PATH = word("path", "of a file or a directory in the container", required=True)


class ArchiveView(EngineView):
    actions = {"GET": "containers.archive", "HEAD": "containers.archive", "PUT": "containers.archive"}
    operations = {
        "GET": Operation("Copy files out", query=(PATH,), answer=TAR),
        "PUT": Operation(
            "Copy files in",
            query=(
                PATH,
                flag("noOverwriteDirNonDir", "refuse to put a file where a directory is, or the reverse"),
                flag("copyUIDGID", "files belong to the archive's owners"),
            ),
            body=TAR,
        ),
    }

    async def head(self, request: Request, name: str) -> HttpResponseBase:
        container_id, path = await self._source(request, name)
        response = _bare()
        response.headers[STAT_HEADER] = _encode(await containers.archive_stat(self.scope, container_id, path))
        return response

    async def get(self, request: Request, name: str) -> HttpResponseBase:
        container_id, path = await self._source(request, name)
        stat = await containers.archive_stat(self.scope, container_id, path)
        response = await transfers.give(
            lambda ticket: containers.archive_get(self.scope, container_id, path, ticket), TAR
        )
        response.headers[STAT_HEADER] = _encode(stat)
        return response

    async def put(self, request: Request, name: str) -> HttpResponseBase:
        container_id, path = await self._source(request, name)
        parameters = request.query_params
        no_overwrite, copy_ids = query.flag(parameters, "noOverwriteDirNonDir"), query.flag(parameters, "copyUIDGID")
        await transfers.take(
            lambda ticket: containers.archive_put(self.scope, container_id, path, ticket, no_overwrite, copy_ids),
            transfers.upload(request._request),
        )
        return _bare()

    async def _source(self, request: Request, name: str) -> tuple[str, str]:
        """The container's ID and the path."""
        container = await self.scope.find_container(name, self.action)
        path = request.query_params.get("path", "")
        if not path:
            raise InvalidArgument("bad parameter: path cannot be empty")
        return container.id, path


class ExportView(EngineView):
    actions = {"GET": "containers.export"}
    operations = {"GET": Operation("A container's root file system, as a tar archive", answer=STREAM)}

    async def get(self, request: Request, name: str) -> HttpResponseBase:
        container = await self.scope.find_container(name, self.action)
        return await transfers.give(lambda ticket: containers.export(self.scope, container.id, ticket), STREAM)


def _bare() -> HttpResponse:
    response = HttpResponse()
    del response.headers["Content-Type"]
    return response


def _encode(stat: PathStat) -> str:
    """Padded standard base64, which Go's client decodes."""
    return base64.b64encode(orjson.dumps(stat)).decode()
