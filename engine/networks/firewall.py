"""The installation's nftables table: masquerading, published ports, and a guard around both.

Published ports are elements of two maps, so that adding or removing one is a small transaction whatever the number of
containers, and a packet meets one lookup instead of one rule per port:

    ports   protocol . port              → container address . port    published on every host address
    bound   address . protocol . port    → container address . port    published on one host address

Both are asked for packets that arrive (prerouting) and for the host's own (output). A packet that the host sends to
127.0.0.1 keeps that source until postrouting, so bridges have route_localnet, and the guard drops what that would
otherwise let in: packets from a container to or from 127.0.0.0/8. The guard also drops packets that reach a container's
address from outside without having passed a published port, as a neighbour of the host could send them.

No other table is touched. A drop elsewhere still wins, so ``warnings`` names foreign chains that drop forwarded
packets.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.kernel.nftables import Nftables

if TYPE_CHECKING:
    from engine.layout import Layout

TABLE_STEM = "muelle"
# libnftables gives a number where the machine has no /etc/protocols, which is no part of a minimal Debian.
_PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}

# -100 is dstnat; older releases of nft know that name in prerouting only.
_TABLE = """
add table ip {table}
delete table ip {table}
table ip {table} {{
  set bridges {{ type ifname; }}
  set subnets {{ type ipv4_addr; flags interval; }}
  map ports {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
  map bound {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
  chain guard {{
    type filter hook prerouting priority raw; policy accept;
    iifname "lo" accept
    iifname @bridges ip daddr 127.0.0.0/8 drop
    iifname @bridges ip saddr 127.0.0.0/8 drop
    iifname != @bridges ip daddr @subnets drop
  }}
  chain publish {{
    dnat ip to ip daddr . meta l4proto . th dport map @bound
    dnat ip to meta l4proto . th dport map @ports
  }}
  chain arriving {{
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump publish
  }}
  chain local {{
    type nat hook output priority -100; policy accept;
    fib daddr type local jump publish
  }}
  chain leaving {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr @subnets oifname != @bridges oifname != "lo" masquerade
    ip saddr @subnets oifname @bridges ct status dnat masquerade
    ip saddr 127.0.0.0/8 oifname @bridges masquerade
  }}
}}
"""


class Published(NamedTuple):
    """One element of the maps. ``host_ip`` is empty when the port is published on every address."""

    host_ip: str
    protocol: str
    host_port: int
    container_ip: str
    container_port: int

    @property
    def map(self) -> str:
        return "bound" if self.host_ip else "ports"

    @property
    def key(self) -> str:
        return " . ".join((*filter(None, [self.host_ip]), self.protocol, str(self.host_port)))

    @property
    def element(self) -> str:
        return f"{self.key} : {self.container_ip} . {self.container_port}"


def knows(layout: Layout, nft: Nftables, bridge: str) -> bool:
    """Whether the table is there and serves the bridge. The table is made in one transaction: it is whole or absent."""
    found = nft.find(f"list set ip {layout.firewall_table} bridges")
    return found is not None and any(bridge in item["set"].get("elem", []) for item in found)


def create(layout: Layout, nft: Nftables) -> None:
    """Make the table anew; what it held is gone."""
    nft.run("create the firewall table", _TABLE.format(table=layout.firewall_table))


def exists(layout: Layout, nft: Nftables) -> bool:
    return nft.find(f"list set ip {layout.firewall_table} bridges") is not None


def add_bridge(layout: Layout, nft: Nftables, bridge: str, subnet: IPv4Network) -> None:
    """Serve one more bridge; one that is served already is fine."""
    table = layout.firewall_table
    nft.run(
        f"add bridge {bridge} to the firewall",
        f'add element ip {table} bridges {{ "{bridge}" }}\nadd element ip {table} subnets {{ {subnet} }}',
    )


def delete(layout: Layout, nft: Nftables) -> None:
    """Remove the table; none is fine."""
    table = layout.firewall_table
    nft.run("delete the firewall table", f"add table ip {table}\ndelete table ip {table}")


def published(nft: Nftables, table: str) -> list[Published]:
    """Every published port of a table, none when there is no such table."""
    found = nft.find(f"list table ip {table}") or []
    maps = {item["map"]["name"]: item["map"] for item in found if "map" in item}
    return [
        *(_published("", *_parts(element)) for element in maps.get("ports", {}).get("elem", [])),
        *(_published(*_parts(element)) for element in maps.get("bound", {}).get("elem", [])),
    ]


def other_tables(layout: Layout, nft: Nftables) -> list[str]:
    """Tables of the other installations on this host."""
    names = (item["table"]["name"] for item in nft.find("list tables ip") or [])
    return [
        name
        for name in names
        if name != layout.firewall_table and (name == TABLE_STEM or name.startswith(f"{TABLE_STEM}-"))
    ]


def warnings(layout: Layout) -> list[str]:
    """Texts about other people's chains that keep containers from the network, for ``docker info``."""
    with Nftables() as nft:
        chains = [item["chain"] for item in nft.find("list chains") or []]
    return [
        f"WARNING: chain {chain['name']} of nftables table {chain['family']} {chain['table']} drops forwarded packets; "
        "containers may not reach other hosts"
        for chain in chains
        if chain.get("hook") == "forward" and chain.get("policy") == "drop" and chain["family"] in ("ip", "inet")
    ]


def _parts(element: list[dict[str, Any]]) -> list[Any]:
    key, value = element
    *address, protocol, port = key["concat"]
    return [*address, _PROTOCOLS.get(protocol, protocol), port, *value["concat"]]


def _published(host_ip: str, protocol: str, host_port: int, container_ip: str, container_port: int) -> Published:
    return Published(host_ip, protocol, host_port, container_ip, container_port)
