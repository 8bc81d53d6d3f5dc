"""Bridges: the switch that containers of one network share, and the host's way in and out of it."""

from __future__ import annotations

import errno
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.kernel import netlink
from engine.kernel.netlink import Netlink
from engine.kernel.nftables import Nftables
from engine.networks import addresses, files, firewall
from engine.networks.state import exclusive, reported

if TYPE_CHECKING:
    from engine.layout import Layout

MTU = 1500

_SYSCTL = Path("/proc/sys/net/ipv4")


class Bridge(NamedTuple):
    """A bridge that is there and works.

    ``ports_lost`` tells that the firewall table had to be made anew (first start, reboot, ``nft flush ruleset``):
    the caller then hands all published ports of running containers to ``ports.restore``.
    """

    name: str
    number: int  # interface index
    gateway: IPv4Interface
    ports_lost: bool = False

    @property
    def subnet(self) -> IPv4Network:
        return self.gateway.network


def ensure(layout: Layout, subnet: IPv4Network | str | None = None, name: str | None = None) -> Bridge:
    """Make the bridge with its sysctls and firewall table, or find them; repair what a reboot or a flush took.

    ``subnet`` is what the network was given before; None picks one that the host does not use, or keeps that of a
    bridge which is there. ``name`` is the default bridge's when None. When all is in place this costs three look-ups.
    """
    name = name or layout.bridge
    wanted = IPv4Network(subnet) if subnet is not None else None
    with reported(), Netlink.open() as link, Nftables() as nft:
        found = _working(layout, link, nft, name, wanted)
        if found is None:
            with exclusive(layout):
                found = _repaired(layout, link, nft, name, wanted)
        return found


def remove(layout: Layout) -> None:
    """Delete the default bridge and the firewall table: the end of an installation. What is not there is fine."""
    with reported(), exclusive(layout), Netlink.open() as link, Nftables() as nft:
        link.remove_link(layout.bridge)
        firewall.delete(layout, nft)


def _working(layout: Layout, link: Netlink, nft: Nftables, name: str, wanted: IPv4Network | None) -> Bridge | None:
    """The bridge when nothing has to be done."""
    found = link.find_link(name)
    if found is None or not found.up or not firewall.knows(layout, nft, name):
        return None
    if any(path.read_text().strip() != "1" for path in _sysctls(name)):
        return None
    gateway = addresses.gateway(wanted) if wanted else next(iter(link.addresses(found.number)), None)
    return Bridge(name, found.number, gateway) if gateway else None


def _repaired(layout: Layout, link: Netlink, nft: Nftables, name: str, wanted: IPv4Network | None) -> Bridge:
    found = link.find_link(name)
    present = link.addresses(found.number) if found else []
    subnet = wanted or (present[0].network if present else addresses.pick_subnet(_in_use(link)))
    gateway = addresses.gateway(subnet)
    index = found.number if found else _create(link, name, gateway)
    if gateway not in present:
        link.transact(netlink.add_address(index, gateway))
    link.transact(netlink.set_up(index))
    for path in _sysctls(name):
        path.write_text("1")
    ports_lost = not firewall.exists(layout, nft)
    if ports_lost:
        firewall.create(layout, nft)
    firewall.add_bridge(layout, nft, name, subnet)
    return Bridge(name, index, gateway, ports_lost)


def _create(link: Netlink, name: str, gateway: IPv4Interface) -> int:
    link.transact(netlink.new_bridge(name, addresses.mac(str(gateway.ip)), MTU))
    found = link.find_link(name)
    if found is None:
        raise OSError(errno.ENODEV, "the bridge vanished while it was made", name)
    link.transact(netlink.without_ipv6(found.number))
    return found.number


def _in_use(link: Netlink) -> list[IPv4Network]:
    """What the host can reach already: a pool there would cut it off. Name servers may lie behind the default route."""
    servers = (server for server in files.host_resolver().nameservers if ":" not in server)
    return [*link.routes(), *(IPv4Network(IPv4Address(server)) for server in servers)]


def _sysctls(name: str) -> tuple[Path, Path]:
    """Forwarding, and routing of 127.0.0.1 over the bridge: the host reaches published ports that way."""
    return _SYSCTL / "ip_forward", _SYSCTL / "conf" / name / "route_localnet"
