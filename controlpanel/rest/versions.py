"""API versions: the ``/v1.51`` in front of a path, and the headers by which clients negotiate."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from asgiref.sync import markcoroutinefunction
from django.conf import settings

from controlpanel.rest import errors

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse, HttpResponseBase

Version = tuple[int, int]

MUELLE: str = tomllib.loads((settings.CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
MAXIMUM: Version = (1, 51)
MINIMUM: Version = (1, 24)
PATTERN = r"v([0-9]{1,9})(?:\.([0-9]{1,9}))?"
PREFIX = re.compile(rf"/{PATTERN}(?=/)")
HEADERS = {
    "Server": f"Muelle/{MUELLE} (linux)",
    "Api-Version": "1.51",
    "Ostype": "linux",
    "Docker-Experimental": "false",
}


def render(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def of(request: HttpRequest) -> Version:
    """The version that the client asked for; the newest when it named none."""
    version: Version = getattr(request, "api_version", MAXIMUM)
    return version


def split(path: str) -> tuple[Version | None, str]:
    """The version that a path begins with, None when it names none, and the path without it."""
    match = PREFIX.match(path)
    if match is None:
        return None, path
    return (int(match[1]), int(match[2] or 0)), path[match.end() :]


def fault(version: Version) -> str:
    """What is wrong with a version, in Docker's words; empty for one that is served."""
    if version > MAXIMUM:
        return f"client version {render(version)} is too new. Maximum supported API version is {render(MAXIMUM)}"
    if version < MINIMUM:
        return (
            f"client version {render(version)} is too old. Minimum supported API version is {render(MINIMUM)}, "
            "please upgrade your client to a newer version"
        )
    return ""


class VersionMiddleware:
    """Takes the version off the path, notes it as ``request.api_version``, and refuses one that is not served."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return _decorate(_strip(request) or await self.get_response(request))


def _strip(request: HttpRequest) -> HttpResponse | None:
    version, path = split(request.path_info)
    if version is not None:
        if message := fault(version):
            return errors.respond(400, message)
        request.path = request.path_info = path
    request.api_version = version or MAXIMUM  # type: ignore[attr-defined]  # read by ``of``
    return None


def _decorate(response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code == 405:
        # Docker routes by method and path together, so a wrong method is an unknown page.
        response = errors.respond(404, errors.PAGE_NOT_FOUND)
    for name, value in HEADERS.items():
        response.headers[name] = value
    return response
