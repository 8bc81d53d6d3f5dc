"""Namespace modes, restart policy, log driver and the other single-valued choices of a HostConfig."""

from __future__ import annotations

import re

from engine.containers.config.objects import Config, HostConfig, LogConfig, RestartPolicy
from engine.errors import InvalidArgument, Unsupported

RESTART_POLICIES = ("no", "always", "on-failure", "unless-stopped")
RUNTIMES = frozenset({"", "runc", "io.containerd.runc.v2"})
LOG_DRIVERS_NOT_BUILT = frozenset({
    "local", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "gcplogs", "etwlogs", "logentries",
})  # fmt: skip
LOG_OPTIONS_NOT_BUILT = frozenset({"compress", "labels", "labels-regex", "env", "env-regex", "tag"})
NO_LINKS = "muelle does not link containers yet: publish a port or use the container's address"
LINKS_CONFLICT = "conflicting options: {} can't be used with links. This would result in undefined behavior"
SIZE = re.compile(r"0*[1-9]\d{0,11}[kmgt]?b?", re.IGNORECASE | re.ASCII)


def joined(mode: str) -> str | None:
    """The container that ``container:X`` names, or None for another mode."""
    return mode.removeprefix("container:") if mode.startswith("container:") else None


def normalise_namespaces(host: HostConfig) -> None:
    """Check the modes of a complete HostConfig and fill in what an empty one means.

    Docker gives a private cgroup namespace on cgroup v2 only; decision 21 says why we do on both.
    """
    _check("IPC", host["IpcMode"], {"", "none", "private", "shareable", "host"})
    _check("PID", host["PidMode"], {"", "host"})
    _check("UTS", host["UTSMode"], {"", "host"}, may_join=False)
    _check("cgroup namespace", host["CgroupnsMode"], {"", "private", "host"}, may_join=False)
    if host["UsernsMode"] not in {"", "host"}:
        raise InvalidArgument(f"invalid user namespace mode: {host['UsernsMode']}")
    if host["Isolation"].lower() not in {"", "default"}:
        raise InvalidArgument(f"invalid isolation '{host['Isolation']}' on linux")
    if host["Cgroup"]:
        raise InvalidArgument(f"invalid cgroup specification: {host['Cgroup']}")
    if joined(host["PidMode"]):
        raise Unsupported("muelle does not join the PID namespace of another container yet")
    host["IpcMode"] = host["IpcMode"] or "private"
    host["CgroupnsMode"] = host["CgroupnsMode"] or ("host" if host["Privileged"] else "private")
    if host["NetworkMode"] in {"", "default"}:
        host["NetworkMode"] = "bridge"
    if host["Runtime"] not in RUNTIMES:
        raise InvalidArgument(f"unknown or invalid runtime name: {host['Runtime']}")
    host["Runtime"] = host["Runtime"] or "runc"


def _check(kind: str, mode: str, allowed: set[str], *, may_join: bool = True) -> None:
    if mode not in allowed and not (may_join and joined(mode)):
        raise InvalidArgument(f"invalid {kind} mode: {mode}")


def normalise_restart(policy: RestartPolicy, *, auto_remove: bool) -> None:
    """Check a RestartPolicy; an empty name is ``no``."""
    name, count = policy["Name"] or "no", policy["MaximumRetryCount"]
    if name not in RESTART_POLICIES:
        raise InvalidArgument(
            f"invalid restart policy: unknown policy '{name}'; "
            "use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if count != 0 and name != "on-failure":
        tail = " and cannot be negative" if count < 0 else ""
        raise InvalidArgument(f"invalid restart policy: maximum retry count can only be used with 'on-failure'{tail}")
    if count < 0:
        raise InvalidArgument("invalid restart policy: maximum retry count cannot be negative")
    if auto_remove and name != "no":
        raise InvalidArgument("can't create 'AutoRemove' container with restart policy")
    policy["Name"] = name


def normalise_log(log: LogConfig) -> None:
    """Check a LogConfig: ``json-file`` with max-size and max-file, or ``none``; an empty type is ``json-file``."""
    driver = log["Type"] or "json-file"
    if driver in LOG_DRIVERS_NOT_BUILT:
        raise Unsupported(f"muelle does not build the logging driver {driver} yet: use json-file or none")
    if driver not in {"json-file", "none"}:
        raise InvalidArgument(f"logger: no log driver named '{driver}' is registered")
    for option, value in log["Config"].items():
        _check_log_option(driver, option, value)
    log["Type"] = driver


def _check_log_option(driver: str, option: str, value: str) -> None:
    if driver == "none":
        raise InvalidArgument(f"unknown log opt '{option}' for none log driver")
    if option == "max-size":
        # -1 is Docker's word for no limit.
        if value != "-1" and not SIZE.fullmatch(value):
            raise InvalidArgument(f"invalid size: '{value}'")
    elif option == "max-file":
        if not re.fullmatch(r"[1-9]\d{0,3}", value, re.ASCII):
            raise InvalidArgument("max-file cannot be less than 1")
    elif option == "mode":
        if value not in {"blocking", "non-blocking"}:
            raise InvalidArgument(f"logger: logging mode not supported: {value}")
        if value == "non-blocking":
            raise Unsupported("muelle does not write logs in non-blocking mode yet")
    elif option in LOG_OPTIONS_NOT_BUILT:
        raise Unsupported(f"muelle does not build the log option {option} yet")
    else:
        raise InvalidArgument(f"unknown log opt '{option}' for json-file log driver")


def check_network(config: Config, host: HostConfig) -> list[str]:
    """What does not go together with a shared network namespace; returns warnings."""
    mode = host["NetworkMode"]
    if joined(mode) is not None:
        _check_joined_network(config, host)
    if config["Hostname"] and host["UTSMode"] == "host":
        raise InvalidArgument("conflicting options: hostname and the UTS mode")
    if mode == "host" and host["Links"]:
        raise InvalidArgument(LINKS_CONFLICT.format("host type networking"))
    if host["Links"]:
        raise Unsupported(NO_LINKS)
    if mode == "host" and host["PortBindings"]:
        return ["Published ports are discarded when using host network mode"]
    return []


def _check_joined_network(config: Config, host: HostConfig) -> None:
    conflicts = (
        (not joined(host["NetworkMode"]), "invalid container format container:<name|id>"),
        (config["Hostname"], "conflicting options: hostname and the network mode"),
        (host["Links"], LINKS_CONFLICT.format("container type network")),
        (host["Dns"], "conflicting options: dns and the network mode"),
        (host["ExtraHosts"], "conflicting options: custom host-to-IP mapping and the network mode"),
        (
            host["PortBindings"] or host["PublishAllPorts"],
            "conflicting options: port publishing and the container type network mode",
        ),
        (config["ExposedPorts"], "conflicting options: port exposing and the container type network mode"),
    )
    for found, message in conflicts:
        if found:
            raise InvalidArgument(message)
