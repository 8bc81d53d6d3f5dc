"""Ports: ``80/tcp`` keys, host ports and ranges, bindings."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from engine.containers.config.objects import Config, Empty, HostConfig, PortBinding
from engine.errors import InvalidArgument

PROTOCOLS = frozenset({"tcp", "udp", "sctp"})
ANY_PORT: PortBinding = {"HostIp": "", "HostPort": ""}


class PortRequest(NamedTuple):
    """One port to publish. ``first`` = ``last`` = 0 asks for any free host port; else the first free one in between."""

    protocol: str
    container_port: int
    host_ip: str
    first: int
    last: int


def parse_port(text: str) -> tuple[int, str]:
    """``80``, ``80/tcp`` → (80, "tcp"); InvalidArgument for anything else."""
    port, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in PROTOCOLS:
        raise InvalidArgument(f"invalid proto: {protocol}")
    if not _is_port(port) or int(port) == 0:
        raise InvalidArgument(f'invalid port specification: "{text}"')
    return int(port), protocol


def parse_range(text: str) -> tuple[int, int]:
    """A host port: empty or ``0`` → (0, 0), ``8080`` → (8080, 8080), ``8000-8010`` → (8000, 8010)."""
    first, dash, last = text.partition("-")
    if not text:
        return 0, 0
    if not _is_port(first) or (dash and not _is_port(last)):
        raise InvalidArgument(f'invalid port specification: "{text}"')
    low, high = int(first), int(last if dash else first)
    if high < low:
        raise InvalidArgument(f'invalid port specification: "{text}"')
    return low, high


def normalise_exposed(ports: dict[str, Empty] | None) -> dict[str, Empty]:
    """``{"80": {}}`` → ``{"80/tcp": {}}``."""
    return {"{}/{}".format(*parse_port(text)): {} for text in ports or {}}


def normalise_bindings(bindings: dict[str, list[PortBinding]]) -> dict[str, list[PortBinding]]:
    """Check every binding and give every key its protocol; a key without bindings asks for any free port."""
    answer: dict[str, list[PortBinding]] = {}
    for key, hosts in bindings.items():
        port, protocol = parse_port(key)
        for host in hosts:
            parse_range(host["HostPort"])
            if host["HostIp"] and not is_address(host["HostIp"]):
                raise InvalidArgument(f"invalid IP address: {host['HostIp']}")
        answer.setdefault(f"{port}/{protocol}", []).extend(hosts)
    return answer


def requests(config: Config, host_config: HostConfig) -> list[PortRequest]:
    """All that a container wants published, in ascending order: its bindings, and with PublishAllPorts the rest."""
    bindings = dict(host_config["PortBindings"])
    if host_config["PublishAllPorts"]:
        for key in config["ExposedPorts"] or {}:
            bindings.setdefault(key, [])
    wanted = (
        PortRequest(protocol, port, host["HostIp"], *parse_range(host["HostPort"]))
        for key, hosts in bindings.items()
        for port, protocol in [parse_port(key)]
        for host in hosts or [ANY_PORT]
    )
    return sorted(wanted, key=lambda each: (each.container_port, each.protocol, each.first))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
