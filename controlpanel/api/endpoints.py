"""Network settings and ports of containers, in the shapes of inspect and of the list."""

from __future__ import annotations

import functools
import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from controlpanel.access.scope import Scope


class NetworkRow(NamedTuple):
    """What an endpoint's rendering needs of its network."""

    id: str
    name: str
    ipam: dict[str, Any]

    @property
    def pool(self) -> dict[str, str]:
        pools = self.ipam.get("Config") or [{}]
        pool: dict[str, str] = pools[0]
        return pool


class EndpointRow(NamedTuple):
    """One row of Endpoint."""

    container_id: str
    network_id: str
    endpoint_id: str
    ip: str
    mac: str
    ports: list[dict[str, Any]]


class Endpoints(NamedTuple):
    """Networks by name, and the endpoints in them by container: two queries for any number."""

    networks: dict[str, NetworkRow]
    by_container: dict[str, list[EndpointRow]]

    @classmethod
    def of(cls, scope: Scope, container_id: str | None = None) -> Endpoints:
        """Those of one container, or of all that the scope reaches."""
        rows = scope.networks().values_list("id", "name", "ipam")
        networks = {row.name: row for row in (NetworkRow(*each) for each in rows)}
        found = scope.endpoints() if container_id is None else scope.endpoints().filter(container_id=container_id)
        endpoints: dict[str, list[EndpointRow]] = defaultdict(list)
        for each in found.values_list(*EndpointRow._fields):
            endpoints[each[0]].append(EndpointRow(*each))
        return cls(networks, endpoints)


EMPTY: dict[str, Any] = {
    "IPAMConfig": None,
    "Links": None,
    "Aliases": None,
    "MacAddress": "",
    "DriverOpts": None,
    "GwPriority": 0,
    "NetworkID": "",
    "EndpointID": "",
    "Gateway": "",
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "DNSNames": None,
}


def networks(container_id: str, mode: str, asked: Mapping[str, Any], endpoints: Endpoints) -> dict[str, dict[str, Any]]:
    """NetworkSettings.Networks: what was asked for, and for a running container its addresses. None when joined."""
    if mode.startswith("container:"):
        return {}
    taken = {endpoint.network_id: endpoint for endpoint in endpoints.by_container.get(container_id, ())}
    return {name: _network(asked.get(name) or {}, endpoints.networks.get(name), taken) for name in [*asked] or [mode]}


def _network(asked: Mapping[str, Any], network: NetworkRow | None, taken: Mapping[str, EndpointRow]) -> dict[str, Any]:
    answer = {**EMPTY, **asked}
    if network is None:
        return answer
    answer["NetworkID"] = network.id
    endpoint = taken.get(network.id)
    if endpoint is not None:
        answer |= {"EndpointID": endpoint.endpoint_id, "MacAddress": endpoint.mac, "IPAddress": endpoint.ip}
        if endpoint.ip:
            answer |= {"Gateway": network.pool.get("Gateway", ""), "IPPrefixLen": prefix_length(network.ipam)}
    return answer


def prefix_length(ipam: Mapping[str, Any]) -> int:
    """Of an IPAM object's first pool; 0 while none is chosen."""
    pools = ipam.get("Config") or [{}]
    subnet = pools[0].get("Subnet")
    return _prefix_length(subnet) if subnet else 0


@functools.lru_cache(maxsize=1024)
def _prefix_length(subnet: str) -> int:
    """Many containers share few networks."""
    return ipaddress.ip_network(subnet, strict=False).prefixlen


def _published(endpoints: Iterable[EndpointRow]) -> list[tuple[int, str, str, int]]:
    """(container port, protocol, host address, host port) of everything published, in ascending order."""
    return sorted(
        (port["container_port"], port["protocol"], port["host_ip"] or "0.0.0.0", port["host_port"])
        for endpoint in endpoints
        for port in endpoint.ports
    )


def port_map(container_id: str, exposed: Iterable[str], running: bool, endpoints: Endpoints) -> dict[str, Any]:
    """NetworkSettings.Ports: bindings by ``80/tcp``; an exposed port that is not published has the value null."""
    if not running:
        return {}
    answer: dict[str, Any] = dict.fromkeys(exposed)
    for port, protocol, address, host_port in _published(endpoints.by_container.get(container_id, ())):
        key = f"{port}/{protocol}"
        answer[key] = [*(answer.get(key) or []), {"HostIp": address, "HostPort": str(host_port)}]
    return answer


def port_list(container_id: str, exposed: Iterable[str], running: bool, endpoints: Endpoints) -> list[dict[str, Any]]:
    """The list's Ports: one entry for each binding, and one for each exposed port that has none."""
    if not running:
        return []
    published = _published(endpoints.by_container.get(container_id, ()))
    answer: list[dict[str, Any]] = [
        {"IP": address, "PrivatePort": port, "PublicPort": host_port, "Type": protocol}
        for port, protocol, address, host_port in published
    ]
    bound = {f"{port}/{protocol}" for port, protocol, _, _ in published}
    for key in exposed:
        if key not in bound:
            port, _, protocol = key.partition("/")
            answer.append({"PrivatePort": int(port), "Type": protocol or "tcp"})
    return answer
