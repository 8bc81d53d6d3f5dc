"""Docker's create body, from JSON to complete Config, HostConfig and NetworkingConfig objects.

    decode(body)                        → CreateRequest     types, names in any case, defaults
    validate(request, host)             → warnings          every rule that needs no image; normalises in place
    merge_image(request, image_config)  → warnings          what the image gives, and the rules that need it

Pure: nothing here looks at the machine, what it must know of it comes as ``Host``. Messages are Docker's.
"""

from __future__ import annotations

import copy
import hashlib
import posixpath
import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from engine.containers.config import image as config_image
from engine.containers.config import modes as config_modes
from engine.containers.config import mounts as config_mounts
from engine.containers.config import ports as config_ports
from engine.containers.config import resources as config_resources
from engine.containers.config import security as config_security
from engine.containers.config import signals as config_signals
from engine.containers.config.decode import complete, read_object
from engine.containers.config.objects import (
    Config,
    ExecConfig,
    HostConfig,
    NetworkingConfig,
    Resources,
    RestartPolicy,
    UpdateConfig,
)
from engine.containers.config.tables import (
    CONFIG,
    EXEC,
    HOST_CONFIG,
    NETWORKING,
    OMITTED_WHEN_EMPTY,
    RESOURCES,
    UPDATE,
)
from engine.errors import InvalidArgument, Unsupported

NAME = re.compile(r"/?[a-zA-Z0-9][a-zA-Z0-9_.-]+")
POINTERS = frozenset({"StopTimeout", "Init"})  # shown when they are set, even to zero
CONFIG_NAMES = frozenset(field.lower() for field in CONFIG)
MILLISECOND = 10**6
NOT_CHOSEN: dict[str, Any] = {
    "NetworkMode": "bridge",
    "IpcMode": "private",
    "CgroupnsMode": "private",
    "Runtime": "runc",
    "RestartPolicy": {"Name": "no"},
    "LogConfig": {"Type": "json-file"},
    "ShmSize": config_resources.SHM_DEFAULT,
}
STORAGE_OPT = "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"


class Host(NamedTuple):
    """What the rules must know of the machine: CPUs online, and whether cgroups are unified."""

    cpus: int
    cgroup_v2: bool


class CreateRequest(NamedTuple):
    """The three objects of a create body, each with all its fields."""

    config: Config
    host_config: HostConfig
    networking: NetworkingConfig


def decode(body: Any) -> CreateRequest:
    """Read a create body; InvalidArgument with Go's text when a type is wrong."""
    if not isinstance(body, dict) or CONFIG_NAMES.isdisjoint(key.lower() for key in body):
        raise InvalidArgument("config cannot be empty in order to create a container")
    parts: dict[str, Any] = {"hostconfig": None, "networkingconfig": None}
    parts |= {key.lower(): value for key, value in body.items() if key.lower() in parts}
    return CreateRequest(
        read_object(CONFIG, "Config")(body, ""),
        read_object(HOST_CONFIG, "HostConfig")({} if parts["hostconfig"] is None else parts["hostconfig"], ""),
        read_object(NETWORKING, "NetworkingConfig")(
            {} if parts["networkingconfig"] is None else parts["networkingconfig"], ""
        ),
    )


def validate(request: CreateRequest, host: Host) -> list[str]:
    """Check everything that needs no image and write the defaults into the request; returns warnings."""
    config, host_config = request.config, request.host_config
    _config(config)
    config_modes.normalise_namespaces(host_config)
    warnings = config_modes.check_network(config, host_config)
    config_modes.normalise_restart(host_config["RestartPolicy"], auto_remove=host_config["AutoRemove"])
    config_modes.normalise_log(host_config["LogConfig"])
    config_security.normalise(host_config)
    warnings += config_resources.normalise(host_config, host.cpus)
    _host_config(host_config)
    _networking(request)
    _mounts(request)
    return warnings


def merge_image(request: CreateRequest, image_config: Mapping[str, Any]) -> list[str]:
    """Merge the image's configuration and check the result; returns warnings."""
    config_image.merge(request.config, image_config)
    _mounts(request)
    _working_directory(request.config)
    test = image_config.get("Healthcheck", {}).get("Test", [])
    if test and test != ["NONE"]:
        return ["The image's health check is ignored: muelle does not run health checks yet"]
    return []


def decode_update(body: Any, host: Host) -> tuple[Resources, RestartPolicy | None, list[str]]:
    """Body of ``POST /containers/{id}/update`` → (resources, restart policy or None, warnings)."""
    update: UpdateConfig = read_object(UPDATE, "UpdateConfig")(body, "")
    policy = update["RestartPolicy"]
    if policy is not None and not policy["Name"] and not policy["MaximumRetryCount"]:
        policy = None
    if policy is not None:
        config_modes.normalise_restart(policy, auto_remove=False)
    resources = cast("Resources", {key: value for key, value in update.items() if key in RESOURCES})
    warnings = config_resources.normalise(resources, host.cpus, update=True)
    return resources, policy, warnings


def decode_exec(body: Any) -> ExecConfig:
    """Body of ``POST /containers/{id}/exec`` with all its fields."""
    config: ExecConfig = read_object(EXEC, "ExecOptions")(body, "")
    if not config["Cmd"]:
        raise InvalidArgument("No exec command specified")
    if config["ConsoleSize"] is not None and len(config["ConsoleSize"]) != 2:
        raise InvalidArgument("invalid console size: want height and width")
    _check_env(config["Env"] or [])
    return config


def complete_config(stored: dict[str, Any]) -> Config:
    """A stored Config with the fields that a later version of ours has added; for where rows are read, nowhere else."""
    return cast("Config", complete(stored, CONFIG))


def complete_host_config(stored: dict[str, Any]) -> HostConfig:
    """The same of a HostConfig; a missing choice is what `validate` writes for one that was not made."""
    if not stored.keys() >= NOT_CHOSEN.keys():
        stored = copy.deepcopy(NOT_CHOSEN) | stored
    return cast("HostConfig", complete(stored, HOST_CONFIG))


def complete_exec(stored: dict[str, Any]) -> ExecConfig:
    return cast("ExecConfig", complete(stored, EXEC))


def check_name(name: str) -> str:
    """The name without its slash; InvalidArgument with Docker's text for a bad one."""
    if not NAME.fullmatch(name) or len(name) > 255:
        raise InvalidArgument(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return name.removeprefix("/")


def new_id(seed: str = "") -> str:
    """64 digits; the same whenever a ``seed``, which nobody else has, is given again."""
    return hashlib.sha256(seed.encode()).hexdigest() if seed else secrets.token_hex(32)


def shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """A Config or HostConfig as inspect shows it: without Docker's ``omitempty`` fields that are empty."""
    answer = {
        key: value
        for key, value in values.items()
        if key not in OMITTED_WHEN_EMPTY or value or (value is not None and key in POINTERS)
    }
    if "Mounts" in answer:
        answer["Mounts"] = [_without_empty(mount) for mount in answer["Mounts"]]
    return answer


def _without_empty(value: Mapping[str, Any]) -> dict[str, Any]:
    """Every field of a Mount and of its options is ``omitempty``."""
    return {
        key: _without_empty(each) if isinstance(each, dict) else each
        for key, each in value.items()
        if each or isinstance(each, dict)
    }


def _config(config: Config) -> None:
    _working_directory(config)
    _check_env(config["Env"] or [])
    _health(config)
    if config["StopSignal"]:
        config_signals.number(config["StopSignal"])
    if config["NetworkDisabled"]:
        raise Unsupported("muelle does not disable the network by Config.NetworkDisabled: use network mode none")
    _check_mac(config["MacAddress"])
    config["ExposedPorts"] = config_ports.normalise_exposed(config["ExposedPorts"]) or None
    if config["Entrypoint"] is None and config["Cmd"] == []:
        config["Cmd"] = None


def _working_directory(config: Config) -> None:
    path = config["WorkingDir"]
    if path and not path.startswith("/"):
        raise InvalidArgument(f"the working directory '{path}' is invalid, it needs to be an absolute path")
    if path:
        config["WorkingDir"] = posixpath.normpath("/" + path.lstrip("/"))


def _check_env(entries: list[str]) -> None:
    for entry in entries:
        if not entry or entry.startswith("="):
            raise InvalidArgument(f"invalid environment variable: {entry}")


def _health(config: Config) -> None:
    health = config["Healthcheck"]
    if health is None:
        return
    times = {
        "Interval": health["Interval"],
        "Timeout": health["Timeout"],
        "StartPeriod": health["StartPeriod"],
        "StartInterval": health["StartInterval"],
    }
    for field, nanoseconds in times.items():
        if nanoseconds and nanoseconds < MILLISECOND:
            raise InvalidArgument(f"{field} in Healthcheck cannot be less than 1ms")
    if health["Retries"] < 0:
        raise InvalidArgument("Retries in Healthcheck cannot be negative")
    if health["Test"] and health["Test"] != ["NONE"]:
        raise Unsupported("muelle does not run health checks yet: create the container with --no-healthcheck")


def _host_config(host: HostConfig) -> None:
    host["PortBindings"] = config_ports.normalise_bindings(host["PortBindings"])
    for text in host["ExtraHosts"] or []:
        _check_extra_host(text)
    if host["ShmSize"] < 0:
        raise InvalidArgument("SHM size can not be less than 0")
    host["ShmSize"] = host["ShmSize"] or config_resources.SHM_DEFAULT
    if "" in (host["Annotations"] or {}):
        raise InvalidArgument("invalid Annotations: the empty string is not permitted as an annotation key")
    if host["StorageOpt"]:
        raise Unsupported(STORAGE_OPT)
    if len(host["ConsoleSize"]) != 2:
        raise InvalidArgument("invalid console size: want height and width")


def _check_extra_host(text: str) -> None:
    name, separator, address = text.partition(":")
    if not separator:
        name, separator, address = text.partition("=")
    if not name or not address:
        raise InvalidArgument(f'bad format for add-host: "{text}"')
    if address != "host-gateway" and not config_ports.is_address(address):
        raise InvalidArgument(f'invalid IP address in add-host: "{address}"')


def _networking(request: CreateRequest) -> None:
    """Docker clients name the default bridge ``default``; its endpoint takes no address, alias or link."""
    endpoints = request.networking["EndpointsConfig"]
    if "default" in endpoints:
        endpoints.setdefault("bridge", endpoints.pop("default"))
    mode = request.host_config["NetworkMode"]
    for name, endpoint in endpoints.items():
        ipam = endpoint["IPAMConfig"]
        predefined = name in {"bridge", "host", "none"}
        if predefined and ipam and (ipam["IPv4Address"] or ipam["IPv6Address"]):
            raise InvalidArgument("user specified IP address is supported on user defined networks only")
        if predefined and endpoint["Aliases"]:
            raise InvalidArgument("network-scoped alias is supported only for containers in user defined networks")
        _check_mac(endpoint["MacAddress"])
        if endpoint["Links"]:
            raise Unsupported(config_modes.NO_LINKS)
        if endpoint["DriverOpts"]:
            raise Unsupported("muelle does not build driver options of endpoints yet")
    if config_modes.joined(mode) is not None and endpoints:
        raise InvalidArgument(
            "conflicting options: a container's network cannot be joined together with other networks"
        )


def _mounts(request: CreateRequest) -> None:
    config_mounts.requests(request.config, request.host_config)
    config_mounts.volumes_from(request.host_config)


def _check_mac(text: str) -> None:
    if text and not re.fullmatch(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}", text):
        raise InvalidArgument(f"invalid MAC address: {text}")
    if text:
        raise Unsupported("muelle does not let a container choose its MAC address yet")
