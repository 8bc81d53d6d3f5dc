"""Capabilities, security options, sysctls and the masked paths of a HostConfig."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from engine.containers.config.objects import HostConfig
from engine.errors import InvalidArgument, Unsupported
from engine.kernel import capabilities

GO_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
IPC_SYSCTLS = frozenset({
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
    "kernel.shm_rmid_forced",
})  # fmt: skip
# The OCI runtime specification's defaults for Linux, with Docker's additions.
MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
SYSCTL_NAME = re.compile(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_\-]+)+")


class SecurityOptions(NamedTuple):
    """What SecurityOpt says. ``seccomp`` is None for the default profile, ``unconfined``, or a profile's JSON."""

    no_new_privileges: bool = False
    seccomp: str | None = None
    others: tuple[str, ...] = ()

    def texts(self) -> list[str]:
        """In one spelling: without old separators, other words for true and false, and what says nothing."""
        flag = ["no-new-privileges"] if self.no_new_privileges else []
        return [*flag, *([f"seccomp={self.seccomp}"] if self.seccomp else []), *self.others]


def normalise(host: HostConfig) -> None:
    """Check and normalise all security fields of a complete HostConfig."""
    host["CapAdd"] = _capabilities(host["CapAdd"], "CapAdd")
    host["CapDrop"] = _capabilities(host["CapDrop"], "CapDrop")
    host["SecurityOpt"] = parse_options(host["SecurityOpt"] or []).texts() or None
    if host["MaskedPaths"] is None:
        host["MaskedPaths"] = None if host["Privileged"] else list(MASKED_PATHS)
    if host["ReadonlyPaths"] is None:
        host["ReadonlyPaths"] = None if host["Privileged"] else list(READONLY_PATHS)
    for path in (host["MaskedPaths"] or []) + (host["ReadonlyPaths"] or []):
        if not path.startswith("/"):
            raise InvalidArgument(f"invalid masked or read-only path: {path}")
    if not -1000 <= host["OomScoreAdj"] <= 1000:
        raise InvalidArgument(f"Invalid value {host['OomScoreAdj']}, range for oom score adj is [-1000, 1000]")
    _check_sysctls(host)


def _capabilities(names: list[str] | None, field: str) -> list[str] | None:
    """``net_admin`` → ``CAP_NET_ADMIN``; ``ALL`` stays."""
    answer: list[str] = []
    for name in names or []:
        full = f"CAP_{name.strip().upper().removeprefix('CAP_')}"
        if full != "CAP_ALL" and full not in capabilities.NAMES:
            raise InvalidArgument(f'invalid {field}: unknown capability: "{full}"')
        full = "ALL" if full == "CAP_ALL" else full
        if full not in answer:
            answer.append(full)
    return answer if names is not None else None


def parse_options(texts: list[str]) -> SecurityOptions:
    """Read ``no-new-privileges``, ``seccomp=…``, ``apparmor=unconfined``, ``label=disable``; refuse the rest."""
    options = SecurityOptions()
    for text in texts:
        if text == "no-new-privileges":
            options = options._replace(no_new_privileges=True)
            continue
        # The colon is Docker's old separator; a value may hold either sign, so the first one counts.
        match = re.match(r"([a-z-]+)[=:](.*)", text, re.DOTALL)
        if not match:
            raise InvalidArgument(f'invalid --security-opt 1: "{text}"')
        options = _option(options, match[1], match[2], text)
    return options


def _option(options: SecurityOptions, key: str, value: str, text: str) -> SecurityOptions:
    if key == "no-new-privileges" and value in GO_BOOLEANS:
        return options._replace(no_new_privileges=GO_BOOLEANS[value])
    if key == "seccomp":
        return options._replace(seccomp=_seccomp(value))
    if key == "apparmor":
        if value not in {"unconfined", ""}:
            raise Unsupported("muelle does not apply AppArmor profiles yet")
        return options._replace(others=(*options.others, "apparmor=unconfined"))
    if key == "label":
        if value != "disable":
            raise Unsupported("muelle does not apply SELinux labels yet")
        return options._replace(others=(*options.others, "label=disable"))
    if key == "writable-cgroups" and value in GO_BOOLEANS:
        if GO_BOOLEANS[value]:
            raise Unsupported("muelle does not mount cgroups writable yet")
        return options
    raise InvalidArgument(f'invalid --security-opt 2: "{text}"')


def _seccomp(value: str) -> str | None:
    if value in {"builtin", "default", ""}:
        return None
    if value == "unconfined":
        return value
    try:
        profile = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"decoding seccomp profile failed: {error}") from None
    if not isinstance(profile, dict):
        raise InvalidArgument("decoding seccomp profile failed: the profile is not an object")
    return value


def _check_sysctls(host: HostConfig) -> None:
    """Only sysctls that belong to a namespace of the container's own may be set; else they would change the host."""
    for name in host["Sysctls"] or {}:
        if not SYSCTL_NAME.fullmatch(name):
            raise InvalidArgument(f"invalid sysctl: {name}")
        mode = host["NetworkMode"] if name.startswith("net.") else host["IpcMode"]
        if mode == "host" or not is_namespaced(name):
            raise InvalidArgument(f'invalid sysctl "{name}": not in a separate kernel namespace')


def is_namespaced(sysctl: str) -> bool:
    """Whether it belongs to a namespace of the network or of IPC; no other may be written in a container."""
    if not SYSCTL_NAME.fullmatch(sysctl):
        return False
    return sysctl in IPC_SYSCTLS or sysctl.startswith(("net.", "fs.mqueue."))
