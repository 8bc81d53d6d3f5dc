"""Flags of run and create → the body of ``POST /containers/create``."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable
from typing import Any

from frontend.cli import terminal, units
from frontend.cli.errors import CliError

from . import mounts, ports
from .environment import read_environment, read_labels

Flags = dict[str, Any]

_NANO = 10**9


def body(flags: Flags, image: str, command: tuple[str, ...]) -> dict[str, Any]:
    """Everything the engine is told. Raises CliError for a flag that cannot be read or contradicts another."""
    if flags["rm"] and flags["restart"] not in (None, "", "no"):
        raise CliError("conflicting options: cannot specify both --restart and --rm", 125)
    binds, anonymous = mounts.volumes(flags["volume"])
    bindings = ports.publish(flags["publish"])
    config = {
        "Hostname": flags["hostname"] or "",
        "Domainname": flags["domainname"] or "",
        "User": flags["user"] or "",
        **_streams(flags),
        "ExposedPorts": ports.expose(flags["expose"], bindings),
        "Env": read_environment(flags["env_file"], flags["env"]),
        "Cmd": list(command) or None,
        "Image": image,
        "Volumes": anonymous,
        "WorkingDir": flags["workdir"] or "",
        "Entrypoint": None if flags["entrypoint"] is None else [flags["entrypoint"]],
        "Labels": read_labels(flags["label_file"], flags["label"]),
        "StopSignal": flags["stop_signal"] or "",
        "StopTimeout": flags["stop_timeout"],
        "Healthcheck": _healthcheck(flags),
    }
    host = _host_config(flags) | {"Binds": binds, "PortBindings": bindings}
    return config | {"HostConfig": host, "NetworkingConfig": {"EndpointsConfig": _endpoints(flags)}}


def _streams(flags: Flags) -> dict[str, bool]:
    chosen = {name.lower() for name in flags["attach"]}
    if unknown := chosen - {"stdin", "stdout", "stderr"}:
        raise CliError(
            f'invalid argument "{unknown.pop()}" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR',
            125,
        )
    detach, interactive = flags.get("detach", False), flags["interactive"]
    if detach and chosen:
        raise CliError("conflicting options: cannot specify both --attach and --detach", 125)
    stdin = not detach and ("stdin" in chosen if chosen else interactive)
    return {
        "AttachStdin": stdin,
        "AttachStdout": not detach and (not chosen or "stdout" in chosen),
        "AttachStderr": not detach and (not chosen or "stderr" in chosen),
        "Tty": flags["tty"],
        "OpenStdin": interactive,
        "StdinOnce": interactive and stdin,
    }


def _healthcheck(flags: Flags) -> dict[str, Any] | None:
    times = {
        "Interval": flags["health_interval"],
        "Timeout": flags["health_timeout"],
        "StartPeriod": flags["health_start_period"],
        "StartInterval": flags["health_start_interval"],
    }
    if flags["no_healthcheck"]:
        if flags["health_cmd"] or any(times.values()) or flags["health_retries"]:
            raise CliError("--no-healthcheck conflicts with --health-* options", 125)
        return {"Test": ["NONE"]}
    if not (flags["health_cmd"] or any(times.values()) or flags["health_retries"]):
        return None
    found: dict[str, Any] = {name: _nanoseconds(text) for name, text in times.items() if text}
    if flags["health_cmd"]:
        found["Test"] = ["CMD-SHELL", flags["health_cmd"]]
    if flags["health_retries"]:
        found["Retries"] = flags["health_retries"]
    return found


def _nanoseconds(text: str) -> int:
    try:
        return int(units.parse_duration(text) * _NANO)
    except ValueError:
        raise CliError(f'invalid argument "{text}": time: invalid duration "{text}"', 125) from None


def _host_config(flags: Flags) -> dict[str, Any]:
    rows, columns = terminal.size()
    return {
        "AutoRemove": flags["rm"],
        "ConsoleSize": [rows, columns] if flags["tty"] else [0, 0],
        "ContainerIDFile": flags["cidfile"] or "",
        "NetworkMode": _network(flags["network"][0])[0] if flags["network"] else "default",
        "RestartPolicy": restart_policy(flags["restart"]),
        "LogConfig": {"Type": flags["log_driver"] or "", "Config": pairs(flags["log_opt"])},
        "VolumeDriver": flags["volume_driver"] or "",
        "VolumesFrom": list(flags["volumes_from"]) or None,
        "Mounts": [mounts.mount(text) for text in flags["mount"]],
        "Tmpfs": mounts.tmpfs(flags["tmpfs"]),
        "CapAdd": list(flags["cap_add"]) or None,
        "CapDrop": list(flags["cap_drop"]) or None,
        "Dns": list(flags["dns"]),
        "DnsOptions": list(flags["dns_option"]),
        "DnsSearch": list(flags["dns_search"]),
        "ExtraHosts": list(flags["add_host"]) or None,
        "GroupAdd": list(flags["group_add"]) or None,
        "Links": list(flags["link"]) or None,
        "Annotations": pairs(flags["annotation"]),
        "Runtime": flags["runtime"] or "",
        "Init": True if flags["init"] else None,
        "Privileged": flags["privileged"],
        "PublishAllPorts": flags["publish_all"],
        "ReadonlyRootfs": flags["read_only"],
        "OomScoreAdj": flags["oom_score_adj"],
        "SecurityOpt": security_options(flags["security_opt"]),
        "StorageOpt": pairs(flags["storage_opt"]),
        "Sysctls": pairs(flags["sysctl"]),
        "ShmSize": units.parse_size(flags["shm_size"]) if flags["shm_size"] else 0,
        **_modes(flags),
        **resources(flags),
        **_devices(flags),
    }


def _modes(flags: Flags) -> dict[str, str]:
    """Which namespaces are shared, and with whom."""
    return {
        "CgroupnsMode": flags["cgroupns"] or "",
        "IpcMode": flags["ipc"] or "",
        "PidMode": flags["pid"] or "",
        "UTSMode": flags["uts"] or "",
        "UsernsMode": flags["userns"] or "",
        "Isolation": flags["isolation"] or "",
    }


def resources(flags: Flags) -> dict[str, Any]:
    """The limits that run, create and update have in common."""
    return {
        "Memory": units.parse_size(flags["memory"]) if flags["memory"] else 0,
        "MemoryReservation": units.parse_size(flags["memory_reservation"]) if flags["memory_reservation"] else 0,
        "MemorySwap": _swap(flags["memory_swap"]),
        "NanoCpus": _cpus(flags["cpus"]),
        "CpuPeriod": flags["cpu_period"],
        "CpuQuota": flags["cpu_quota"],
        "CpuShares": flags["cpu_shares"],
        "CpusetCpus": flags["cpuset_cpus"] or "",
        "CpusetMems": flags["cpuset_mems"] or "",
        "PidsLimit": flags["pids_limit"],
        "BlkioWeight": flags["blkio_weight"],
        "CgroupParent": flags.get("cgroup_parent") or "",
        "MemorySwappiness": -1 if flags.get("memory_swappiness") is None else flags["memory_swappiness"],
        "OomKillDisable": flags.get("oom_kill_disable", False),
    }


def _swap(text: str | None) -> int:
    if not text:
        return 0
    return -1 if text == "-1" else units.parse_size(text)


def _cpus(text: str | None) -> int:
    try:
        return round(float(text or 0) * _NANO)
    except ValueError:
        raise CliError(
            f'invalid argument "{text}" for "--cpus" flag: failed to parse {text} as a rational number', 125
        ) from None


def _devices(flags: Flags) -> dict[str, Any]:
    return {
        "Devices": [mounts.device(text) for text in flags["device"]],
        "DeviceCgroupRules": list(flags["device_cgroup_rule"]) or None,
        "Ulimits": [ulimit(text) for text in flags["ulimit"]] or None,
        "BlkioWeightDevice": [_throttle(text, "Weight") for text in flags["blkio_weight_device"]],
        "BlkioDeviceReadBps": [_throttle(text, "Rate") for text in flags["device_read_bps"]],
        "BlkioDeviceWriteBps": [_throttle(text, "Rate") for text in flags["device_write_bps"]],
        "BlkioDeviceReadIOps": [_throttle(text, "Rate") for text in flags["device_read_iops"]],
        "BlkioDeviceWriteIOps": [_throttle(text, "Rate") for text in flags["device_write_iops"]],
    }


def _throttle(text: str, name: str) -> dict[str, Any]:
    path, mark, value = text.rpartition(":")
    if not mark or not path.startswith("/dev/"):
        raise CliError(f"bad format: {text}", 125)
    return {"Path": path, name: units.parse_size(value)}


def ulimit(text: str) -> dict[str, Any]:
    """``nofile=1024[:2048]``. Raises CliError."""
    name, mark, value = text.partition("=")
    soft, _, hard = value.partition(":")
    try:
        if not mark:
            raise ValueError(text)
        return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}
    except ValueError:
        raise CliError(f'invalid argument "{text}" for "--ulimit" flag: invalid ulimit argument: {text}', 125) from None


def restart_policy(text: str | None) -> dict[str, Any]:
    """``on-failure[:3]``, ``always``, ``unless-stopped``, ``no``. Raises CliError."""
    name, mark, count = (text or "no").partition(":")
    if mark and not count.isdecimal():
        raise CliError("invalid restart policy format: maximum retry count must be an integer", 125)
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


def security_options(given: Iterable[str]) -> list[str] | None:
    """A seccomp profile is named by its file here and sent as its content."""
    found = []
    for text in given:
        key, _, value = text.replace(":", "=", 1).partition("=")
        if key == "seccomp" and value not in ("unconfined", "builtin"):
            text = f"seccomp={_profile(value)}"
        found.append(text)
    return found or None


def _profile(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return json.dumps(json.load(file), separators=(",", ":"))
    except OSError as error:
        text = (error.strerror or "").lower()
        raise CliError(f"opening seccomp profile ({path}) failed: open {path}: {text}", 125) from error
    except ValueError as error:
        raise CliError(f"compacting json for seccomp profile ({path}) failed: {error}", 125) from error


def pairs(given: Iterable[str]) -> dict[str, str]:
    return {key: value for key, _, value in (text.partition("=") for text in given)}


def _network(text: str) -> tuple[str, dict[str, str]]:
    """``name`` or ``name=x,ip=1.2.3.4,alias=y``."""
    if "=" not in text:
        return text, {}
    fields = pairs(text.split(","))
    if "name" not in fields:
        raise CliError(f'invalid argument "{text}" for "--network" flag: network name/id is not specified', 125)
    return fields.pop("name"), fields


def _endpoints(flags: Flags) -> dict[str, Any]:
    """Networks by name. Single flags such as --ip speak of the first."""
    found: dict[str, Any] = {}
    for index, text in enumerate(flags["network"]):
        name, fields = _network(text)
        first = index == 0
        addresses = {
            "IPv4Address": fields.get("ip") or (flags["ip"] if first else None),
            "IPv6Address": fields.get("ip6") or (flags["ip6"] if first else None),
            "LinkLocalIPs": list(flags["link_local_ip"]) if first else None,
        }
        aliases = [fields["alias"]] if "alias" in fields else list(flags["network_alias"]) if first else []
        addresses = {key: value for key, value in addresses.items() if value}
        found[name] = {"Aliases": aliases or None, "IPAMConfig": addresses or None}
        if mac := fields.get("mac-address") or (flags["mac_address"] if first else None):
            found[name]["MacAddress"] = mac
    if not found and (flags["mac_address"] or flags["ip"] or flags["ip6"]):
        found["default"] = _endpoints(flags | {"network": ("default",)})["default"]
    return found


def write_id(path: str | None, identity: str) -> None:
    """``--cidfile``: made anew, never overwritten."""
    if path:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(fd, "w") as file:
            file.write(identity)


def check_id_file(path: str | None) -> None:
    if path and os.path.exists(path):  # noqa: PTH110
        raise CliError(
            f"container ID file found, make sure the other container isn't running or delete {shlex.quote(path)}", 125
        )
