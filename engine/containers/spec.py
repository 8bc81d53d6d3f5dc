"""The runtime specification of one container: what launcher, shim and init need to know, and nothing else.

It is JSON in the container's directory, written by the worker at each start. It follows the OCI runtime specification
in spirit (namespaces, process, root, mounts), in a shape that the child can execute step by step without thinking.
"""

from __future__ import annotations

import base64
import functools
import json
import resource
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from engine.containers import devices
from engine.containers import mounts as mount_plan
from engine.containers.config.image import command
from engine.containers.config.mounts import Mount
from engine.containers.config.objects import Config, HostConfig, Ulimit
from engine.containers.config.security import (
    MASKED_PATHS,
    READONLY_PATHS,
    SecurityOptions,
    is_namespaced,
    parse_options,
)
from engine.errors import InvalidArgument, Unsupported
from engine.kernel import capabilities, cgroups, filters, seccomp
from engine.kernel.seccomp_profile import DEFAULT
from engine.layout import Layout
from engine.networks.endpoint import EndpointPlan

Spec = dict[str, Any]

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT_TARGET = "/sbin/docker-init"
INIT_PROGRAMS = ("/usr/bin/tini-static", "/usr/bin/docker-init", "/usr/libexec/docker/docker-init")


class Peer(NamedTuple):
    """The first process of a container whose namespaces are joined; `engine.containers.runtime.State` has both."""

    pid: int
    start_time: int


class Specification(NamedTuple):
    """A container to start, complete: nothing of it has to be looked up, chosen or defaulted any more.

    ``layers`` are names below the layer store, top first; ``peers`` maps the IDs of containers whose namespaces are
    joined (``container:ID`` modes) to their processes. ``endpoints`` is empty for the host's network, a shared one and
    none. ``log_group`` may read the log.
    """

    id: str
    name: str
    config: Config
    host_config: HostConfig
    layers: tuple[str, ...]
    mounts: tuple[Mount, ...] = ()
    endpoints: tuple[EndpointPlan, ...] = ()
    peers: Mapping[str, Peer] = MappingProxyType({})
    log_group: int = 0

    @property
    def hostname(self) -> str:
        return self.config["Hostname"] or self.id[:12]


def build(layout: Layout, specification: Specification) -> Spec:
    """Compose what goes into the container's directory. Raises InvalidArgument and Unsupported with Docker's texts."""
    config, host_config = specification.config, specification.host_config
    namespaces = _namespaces(host_config, specification.peers)
    return {
        "id": specification.id,
        "hostname": specification.hostname,
        "domainname": config["Domainname"],
        "namespaces": namespaces,
        "root": _root(layout, specification)
        | {"working_directory": config["WorkingDir"] or "/", "shm": _shared_memory(namespaces["ipc"])},
        "process": _process(layout, config, host_config, specification.hostname),
        "stdin": config["OpenStdin"],
        "stdin_once": config["StdinOnce"],
        "tty": config["Tty"],
        "log": _log(layout, specification),
        "notice_socket": str(layout.notice_socket),
    }


def _namespaces(host_config: HostConfig, peers: Mapping[str, Peer]) -> dict[str, Any]:
    """For each kind "private", "host" or the process whose namespace to join."""
    modes = {
        "network": host_config["NetworkMode"],
        "ipc": host_config["IpcMode"],
        "uts": host_config["UTSMode"],
        "pid": host_config["PidMode"],
        "cgroup": host_config["CgroupnsMode"],
    }
    chosen: dict[str, Any] = {}
    for name, mode in modes.items():
        kind, _, peer = mode.partition(":")
        if kind != "container":
            chosen[name] = "host" if mode == "host" else "private"
        elif name == "pid":
            raise Unsupported("muelle does not join the PID namespace of another container yet")
        elif peer not in peers:
            raise InvalidArgument(f"cannot join {name} of a non running container: {peer}")
        else:
            chosen[name] = peers[peer]._asdict()
    return chosen


def _shared_memory(ipc: Any) -> Any:
    """Whose /dev/shm the container shares: the host's, or that of the container whose IPC namespace it joins."""
    return None if ipc == "private" else ipc


def _root(layout: Layout, specification: Specification) -> dict[str, Any]:
    host_config = specification.host_config
    directory = layout.container(specification.id)
    privileged = host_config["Privileged"]
    files = {target: directory / name for target, name in mount_plan.NETWORK_FILES.items()}
    users = list(specification.mounts)
    if host_config["Init"]:
        users.append(Mount("bind", _init_program(), INIT_TARGET, read_only=True))
    own_memory = host_config["IpcMode"] in ("", "private", "shareable")
    kernel = mount_plan.kernel_mounts(
        privileged=privileged,
        shm_size=host_config["ShmSize"] if own_memory else None,
        cgroups=cgroups.hierarchies(),
    )
    masked, readonly = host_config["MaskedPaths"], host_config["ReadonlyPaths"]
    return {
        "layer_store": str(layout.images / "layers"),
        "layers": list(specification.layers),
        "upper": str(directory / "upper"),
        "work": str(directory / "work"),
        "mountpoint": str(directory / "root"),
        "read_only": host_config["ReadonlyRootfs"],
        "mounts": kernel,
        "devices": devices.nodes(host_config),
        "volumes": mount_plan.user_mounts(users, files),
        "sysctls": {f"/proc/sys/{key.replace('.', '/')}": text for key, text in _sysctls(host_config)},
        "masked_paths": [] if privileged else list(MASKED_PATHS if masked is None else masked),
        "readonly_paths": [] if privileged else list(READONLY_PATHS if readonly is None else readonly),
    }


def _init_program() -> str:
    """A static init that reaps and forwards signals: tini, as Docker uses."""
    for path in INIT_PROGRAMS:
        if Path(path).exists():
            return path
    raise InvalidArgument("--init needs tini-static on the host: install the package tini")


def _sysctls(host_config: HostConfig) -> Iterable[tuple[str, str]]:
    """Only what belongs to a namespace of the container may be set: kernel.* of IPC, fs.mqueue.* and net.*."""
    mode = host_config["NetworkMode"]
    shared = mode == "host" or mode.startswith("container:")
    wanted = ({} if shared else _network_defaults()) | dict(host_config["Sysctls"] or {})
    for key, text in wanted.items():
        if not is_namespaced(key):
            raise InvalidArgument(f'invalid sysctl "{key}": not in a separate kernel namespace')
        yield key, text


@functools.cache
def _network_defaults() -> dict[str, str]:
    """Docker's for a network of the container's own: ports below 1024 and ping need no root. As the kernel has them."""
    defaults = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}
    return {key: text for key, text in defaults.items() if Path("/proc/sys", *key.split(".")).exists()}


def _process(layout: Layout, config: Config, host_config: HostConfig, hostname: str) -> dict[str, Any]:
    args = command(config)
    if host_config["Init"]:
        args = [INIT_TARGET, "--", *args]
    options = parse_options(host_config["SecurityOpt"] or [])
    bits = capabilities.compute(host_config["CapAdd"] or (), host_config["CapDrop"] or (), host_config["Privileged"])
    program = _seccomp(layout, options, bits, host_config["Privileged"])
    return {
        "args": args,
        "env": _environment(config, hostname),
        "cwd": config["WorkingDir"] or "/",
        "user": config["User"],
        "groups": host_config["GroupAdd"] or [],
        "console_size": host_config["ConsoleSize"],
        "capabilities": capabilities.mask(bits),
        "no_new_privileges": options.no_new_privileges,
        "seccomp": base64.b64encode(program).decode(),
        "filter_first": not program or filters.may_fork_and_execute(program),
        "rlimits": [_rlimit(limit) for limit in host_config["Ulimits"] or ()],
        "oom_score_adj": host_config["OomScoreAdj"],
    }


def _environment(config: Config, hostname: str) -> list[str]:
    """Docker's own variables first, so that the image and the user can replace them."""
    terminal = ["TERM=xterm"] if config["Tty"] else []
    entries = [DEFAULT_PATH, f"HOSTNAME={hostname}", *terminal, *(config["Env"] or ())]
    return [entry for entry in entries if "=" in entry]


def _seccomp(layout: Layout, options: SecurityOptions, bits: frozenset[str], privileged: bool) -> bytes:
    """The compiled filter, or nothing. A profile is given as its JSON text: the client reads the file."""
    text = options.seccomp
    if text == "unconfined" or (privileged and text is None):
        return b""
    profile = seccomp.parse_profile(json.loads(text)) if text else DEFAULT
    return seccomp.program(bits, profile, layout.cache)


def _rlimit(limit: Ulimit) -> tuple[int, int, int]:
    number = getattr(resource, f"RLIMIT_{limit['Name'].upper()}", None)
    if number is None:
        raise InvalidArgument(f"invalid ulimit type: {limit['Name']}")
    return number, limit["Soft"], limit["Hard"]


def _log(layout: Layout, specification: Specification) -> dict[str, Any] | None:
    """Where and how the shim logs; None for the driver ``none``. Rotation is on unless ``max-size`` says otherwise."""
    chosen = specification.host_config["LogConfig"]
    if chosen["Type"] == "none":
        return None
    options = chosen["Config"]
    return {
        "path": str(layout.log(specification.id)),
        "max_size": parse_size(options.get("max-size", "20m")),
        "max_files": int(options.get("max-file", "5")),
        "group": specification.log_group,
    }


def parse_size(text: str) -> int:
    """Bytes of Docker's sizes: ``10m``, ``1g``, ``512``; -1 (no limit) is 0. Raises InvalidArgument."""
    lowered = text.strip().lower().removesuffix("b")
    factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}.get(lowered[-1:], 1)
    digits = lowered[:-1] if factor > 1 else lowered
    if digits == "-1":
        return 0
    if not digits.isdecimal():
        raise InvalidArgument(f"invalid size: '{text}'")
    return int(digits) * factor
