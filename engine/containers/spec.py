"""The runtime specification of one container: what launcher, shim and init need to know, and nothing else.

It is JSON in the container's directory, written by the worker at each start. It follows the OCI runtime specification
in spirit (namespaces, process, root, mounts), in a shape that the child can execute step by step without thinking.
"""

from __future__ import annotations

import base64
import json
import resource
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.containers import mounts as mount_plan
from engine.containers.mounts import MountPoint
from engine.errors import InvalidArgument, Unsupported
from engine.kernel import capabilities, cgroups, seccomp
from engine.kernel.seccomp_profile import DEFAULT, Profile
from engine.layout import Layout

Spec = dict[str, Any]

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT_TARGET = "/sbin/docker-init"
INIT_PROGRAMS = ("/usr/bin/tini-static", "/usr/bin/docker-init", "/usr/libexec/docker/docker-init")
_NETWORK_FILES = {"/etc/resolv.conf": "resolv.conf", "/etc/hostname": "hostname", "/etc/hosts": "hosts"}


def build(
    layout: Layout,
    container_id: str,
    config: Mapping[str, Any],
    host_config: Mapping[str, Any],
    layer_dirs: Iterable[str],
    mounts: Iterable[MountPoint],
    *,
    peers: Mapping[str, int] | None = None,
    log_group: int = 0,
) -> Spec:
    """Compose the specification from Docker's complete Config and HostConfig.

    ``layer_dirs`` are names below the layer store, top first; ``peers`` maps the IDs of containers whose namespaces are
    joined (``container:ID`` modes) to their processes. Raises InvalidArgument and Unsupported with Docker's texts.
    """
    namespaces = _namespaces(host_config, peers or {})
    directory = layout.container(container_id)
    terminal = bool(config.get("Tty"))
    hostname = config.get("Hostname") or container_id[:12]
    return {
        "id": container_id,
        "hostname": hostname,
        "domainname": config.get("Domainname") or "",
        "namespaces": namespaces,
        "root": _root(layout, directory, host_config, list(layer_dirs), mounts)
        | {"working_directory": config.get("WorkingDir") or "/"},
        "process": _process(layout, config, host_config, hostname),
        "stdin": bool(config.get("OpenStdin")),
        "stdin_once": bool(config.get("StdinOnce")),
        "tty": terminal,
        "log": _log(layout, container_id, host_config, log_group),
        "notice_socket": str(layout.notice_socket),
        "resources": {key: host_config.get(key) for key in host_config if key not in ("Binds", "Mounts")},
    }


def _namespaces(host_config: Mapping[str, Any], peers: Mapping[str, int]) -> dict[str, str]:
    """For each kind "private", "host" or the path of a namespace to join."""
    modes = {
        "network": ("net", host_config.get("NetworkMode") or "default"),
        "ipc": ("ipc", host_config.get("IpcMode") or "private"),
        "uts": ("uts", host_config.get("UTSMode") or "private"),
        "pid": ("pid", host_config.get("PidMode") or "private"),
        "cgroup": ("cgroup", host_config.get("CgroupnsMode") or "private"),
    }
    chosen = {}
    for name, (file, mode) in modes.items():
        kind, _, peer = mode.partition(":")
        if kind != "container":
            chosen[name] = "host" if mode == "host" else "private"
        elif name == "pid":
            raise Unsupported("muelle does not join the PID namespace of another container yet")
        elif peer not in peers:
            raise InvalidArgument(f"cannot join {name} of a non running container: {peer}")
        else:
            chosen[name] = f"/proc/{peers[peer]}/ns/{file}"
    return chosen


def _root(
    layout: Layout, directory: Path, host_config: Mapping[str, Any], layers: list[str], mounts: Iterable[MountPoint]
) -> dict[str, Any]:
    privileged = bool(host_config.get("Privileged"))
    files = {target: directory / name for target, name in _NETWORK_FILES.items()}
    users = list(mounts)
    if host_config.get("Init"):
        users.append(MountPoint("bind", _init_program(), INIT_TARGET, read_only=True))
    kernel = mount_plan.kernel_mounts(
        privileged=privileged, shm_size=host_config.get("ShmSize") or 0, cgroups=cgroups.hierarchies()
    )
    masked = host_config.get("MaskedPaths")
    readonly = host_config.get("ReadonlyPaths")
    return {
        "layer_store": str(layout.images / "layers"),
        "layers": layers,
        "upper": str(directory / "upper"),
        "work": str(directory / "work"),
        "mountpoint": str(directory / "root"),
        "read_only": bool(host_config.get("ReadonlyRootfs")),
        "slave": any(mount.propagation in ("slave", "rslave", "shared", "rshared") for mount in users),
        "mounts": kernel,
        "devices": mount_plan.devices(host_config),
        "volumes": mount_plan.user_mounts(users, files),
        "sysctls": {f"/proc/sys/{key.replace('.', '/')}": text for key, text in _sysctls(host_config)},
        "masked_paths": [] if privileged else list(mount_plan.MASKED_PATHS if masked is None else masked),
        "readonly_paths": [] if privileged else list(mount_plan.READONLY_PATHS if readonly is None else readonly),
    }


def _init_program() -> str:
    """A static init that reaps and forwards signals: tini, as Docker uses."""
    for path in INIT_PROGRAMS:
        if Path(path).exists():
            return path
    raise InvalidArgument("--init needs tini-static on the host: install the package tini")


def _sysctls(host_config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Only what belongs to a namespace of the container may be set: kernel.* of IPC, fs.mqueue.* and net.*."""
    for key, text in (host_config.get("Sysctls") or {}).items():
        ours = key.startswith(("net.", "fs.mqueue.", "kernel.msg", "kernel.sem", "kernel.shm"))
        if not ours or ".." in key or "/" in key:
            raise InvalidArgument(f'invalid sysctl "{key}": not in a separate kernel namespace')
        yield key, str(text)


def _process(
    layout: Layout, config: Mapping[str, Any], host_config: Mapping[str, Any], hostname: str
) -> dict[str, Any]:
    args = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    if host_config.get("Init"):
        args = [INIT_TARGET, "--", *args]
    options = _security_options(host_config)
    bits = capabilities.compute(
        host_config.get("CapAdd") or (), host_config.get("CapDrop") or (), bool(host_config.get("Privileged"))
    )
    return {
        "args": args,
        "env": _environment(config, hostname),
        "cwd": config.get("WorkingDir") or "/",
        "user": config.get("User") or "",
        "groups": list(host_config.get("GroupAdd") or ()),
        "tty": bool(config.get("Tty")),
        "console_size": list(host_config.get("ConsoleSize") or (0, 0)),
        "capabilities": capabilities.mask(bits),
        "no_new_privileges": "no-new-privileges" in options,
        "seccomp": _seccomp(layout, options, bits, bool(host_config.get("Privileged"))),
        "rlimits": [_rlimit(limit) for limit in host_config.get("Ulimits") or ()],
        "oom_score_adj": host_config.get("OomScoreAdj") or 0,
    }


def _environment(config: Mapping[str, Any], hostname: str) -> list[str]:
    """Docker's own variables first, so that the image and the user can replace them."""
    terminal = ["TERM=xterm"] if config.get("Tty") else []
    entries = [DEFAULT_PATH, f"HOSTNAME={hostname}", *terminal, *(config.get("Env") or ())]
    return [entry for entry in entries if "=" in entry]


def _security_options(host_config: Mapping[str, Any]) -> dict[str, str]:
    """``--security-opt`` as name → value; both ``name=value`` and the old ``name:value`` are in use."""
    options = {}
    for text in host_config.get("SecurityOpt") or ():
        separator = "=" if "=" in text else ":"
        name, _, value = text.partition(separator)
        if name != "no-new-privileges" or value != "false":
            options[name] = value
    return options


def _seccomp(layout: Layout, options: Mapping[str, str], bits: frozenset[str], privileged: bool) -> str:
    """The compiled filter in base64, or nothing. A profile is given as its JSON text: the client reads the file."""
    text = options.get("seccomp", "")
    if text == "unconfined" or (privileged and not text):
        return ""
    profile = _profile(text) if text else DEFAULT
    return base64.b64encode(seccomp.program(bits, profile, layout.cache)).decode()


def _profile(text: str) -> Profile:
    try:
        return seccomp.parse_profile(json.loads(text))
    except ValueError as error:
        raise InvalidArgument(f"decoding seccomp profile failed: {error}") from error


def _rlimit(limit: Mapping[str, Any]) -> tuple[int, int, int]:
    number = getattr(resource, f"RLIMIT_{limit['Name'].upper()}", None)
    if number is None:
        raise InvalidArgument(f"invalid ulimit type: {limit['Name']}")
    return number, limit["Soft"], limit["Hard"]


def _log(layout: Layout, container_id: str, host_config: Mapping[str, Any], group: int) -> dict[str, Any] | None:
    """Where and how the shim logs; None for the driver ``none``. Rotation is on unless ``max-size`` says otherwise."""
    log_config = host_config.get("LogConfig") or {}
    if log_config.get("Type") == "none":
        return None
    options = log_config.get("Config") or {}
    return {
        "path": str(layout.log(container_id)),
        "max_size": parse_size(options.get("max-size", "20m")),
        "max_files": int(options.get("max-file", "5")),
        "group": group,
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
