"""From a create body to what the worker needs: decoded, checked, merged with the image, references resolved."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

from controlpanel.api import host, versions
from controlpanel.objects.models import Container, Image, Network
from engine.containers import config
from engine.containers.config import CreateRequest
from engine.containers.config import modes as config_modes
from engine.containers.config import mounts as config_mounts
from engine.containers.config.image import command
from engine.errors import InvalidArgument, NotFound, Unsupported

NAMESPACES = ("NetworkMode", "IpcMode", "PidMode")


class Plan(NamedTuple):
    """A complete request, the ID of its image, and the warnings for the user."""

    request: CreateRequest
    image_id: str
    warnings: list[str]


def plan(node: str, body: Any, platform: str, version: versions.Version) -> Plan:
    """Everything that can be refused without a worker is refused here."""
    request = config.decode(body)
    _adapt(request, version)
    warnings = config.validate(request, host.limits())
    host.check_available(request.host_config)
    if not request.config["Image"]:
        _refuse_no_image(request)
    image = Image.objects.find(node, request.config["Image"])
    if platform and version >= (1, 41):
        _check_platform(image, request.config["Image"], platform)
    inherited = image.config.get("config")
    warnings += config.merge_image(request, inherited if isinstance(inherited, dict) else {})
    _resolve(node, request)
    return Plan(request, image.image_id, warnings)


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


def _check_platform(image: Image, name: str, platform: str) -> None:
    """Refuse an image for another platform (``os/arch[/variant]``, or the architecture alone)."""
    parts = platform.lower().split("/")
    system, architecture = (parts[0], parts[1]) if len(parts) > 1 else ("linux", parts[0])
    own = str(image.config.get("os") or "linux"), str(image.config.get("architecture") or host.architecture())
    architecture = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}.get(architecture, architecture)
    if parts == ["linux"] or own == (system, architecture):
        return
    raise NotFound(
        f"image with reference {name} was found but its platform ({'/'.join(own)}) does not match the specified "
        f"platform ({platform})"
    )


def _resolve(node: str, request: CreateRequest) -> None:
    """Replace names of containers by their IDs, and make sure that networks and volumes-from containers exist."""
    for source in config_mounts.volumes_from(request.host_config):
        Container.objects.find(node, source.container)
    try:
        _resolve_namespaces(node, request)
    except NotFound as error:
        # To clients a 404 of create means that the image is missing, and they would try to pull it.
        raise InvalidArgument(error.message) from error


def _resolve_namespaces(node: str, request: CreateRequest) -> None:
    host_config = request.host_config
    for field in NAMESPACES:
        joined = config_modes.joined(host_config[field])
        if joined is not None:
            host_config[field] = f"container:{Container.objects.find(node, joined).id}"
    names = {*request.networking["EndpointsConfig"], host_config["NetworkMode"]} - {"bridge", "host", "none"}
    for name in sorted(names):
        if config_modes.joined(name) is None:
            Network.objects.find(node, name)
