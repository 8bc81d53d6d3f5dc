"""From a create body to what the worker needs: decoded, checked, merged with the image, references resolved."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, NoReturn

from controlpanel.access.scope import Scope
from controlpanel.api import host
from controlpanel.objects.models import Image
from controlpanel.objects.models.networks import PREDEFINED
from controlpanel.rest import versions
from engine.containers import config
from engine.containers.config import CreateRequest
from engine.containers.config import modes as config_modes
from engine.containers.config import mounts as config_mounts
from engine.containers.config.image import command
from engine.containers.config.objects import Config, HostConfig, NetworkingConfig
from engine.errors import InvalidArgument, NotFound, Unsupported
from engine.images import platforms

NAMESPACES: tuple[Literal["NetworkMode", "IpcMode", "PidMode"], ...] = ("NetworkMode", "IpcMode", "PidMode")


class CreateBody(Config):
    """What runs, and beside it where and how."""

    HostConfig: HostConfig
    NetworkingConfig: NetworkingConfig


class Plan(NamedTuple):
    """A complete request in which containers are named by ID, its image, and the warnings for the user.

    VolumesFrom is shown back as it was written, so the IDs of those containers stand beside the request, by name.
    """

    request: CreateRequest
    image: Image
    volumes_from: dict[str, str]
    warnings: list[str]


def plan(scope: Scope, body: Any, platform: str, version: versions.Version) -> Plan:
    """Everything that can be refused without a worker is refused here."""
    request = config.decode(body)
    _adapt(request, version)
    warnings = config.validate(request, host.limits())
    host.check_available(request.host_config)
    if not request.config["Image"]:
        _refuse_no_image(request)
    image = scope.image(request.config["Image"], "images.view")
    if platform and version >= (1, 41):
        platforms.check(image.config, request.config["Image"], platforms.parse(platform))
    warnings += config.merge_image(request, image.config.get("config", {}))
    return Plan(request, image, _resolve(scope, request), warnings)


def _refuse_no_image(request: CreateRequest) -> NoReturn:
    if not command(request.config):
        raise InvalidArgument("no command specified")
    raise Unsupported("muelle does not run containers without an image")


def _adapt(request: CreateRequest, version: versions.Version) -> None:
    """What older clients mean by the same body."""
    if version < (1, 25):
        request.host_config["AutoRemove"] = False
    if version < (1, 40) and not request.host_config["IpcMode"]:
        request.host_config["IpcMode"] = "shareable"
    if version < (1, 44) and len(request.networking["EndpointsConfig"]) > 1:
        names = ", ".join(sorted(request.networking["EndpointsConfig"]))
        raise InvalidArgument(f"Container cannot be created with multiple network endpoints: {names}")


def _resolve(scope: Scope, request: CreateRequest) -> dict[str, str]:
    """Find what a request names: containers become IDs, networks have to exist. Returns the sources of VolumesFrom."""
    try:
        _resolve_namespaces(scope, request.host_config)
        _find_networks(scope, request)
        sources = [source.container for source in config_mounts.volumes_from(request.host_config)]
        return {name: scope.container(name, "containers.archive").id for name in sources}
    except NotFound as error:
        # To clients a 404 of create means that the image is missing, and they would try to pull it.
        raise InvalidArgument(error.message) from error


def _resolve_namespaces(scope: Scope, host_config: HostConfig) -> None:
    for field in NAMESPACES:
        joined = config_modes.joined(host_config[field])
        if joined is not None:
            host_config[field] = f"container:{scope.container(joined, 'containers.exec').id}"


def _find_networks(scope: Scope, request: CreateRequest) -> None:
    names = {*request.networking["EndpointsConfig"], request.host_config["NetworkMode"]} - PREDEFINED
    for name in sorted(names):
        if config_modes.joined(name) is None:
            scope.network(name, "networks.connect")
