"""A container's place in a network: a veth pair, its address and its route."""

from __future__ import annotations

import errno
from contextlib import ExitStack
from ipaddress import IPv4Interface
from typing import TYPE_CHECKING, NamedTuple

from engine.kernel import netlink
from engine.kernel.netlink import Netlink
from engine.networks.bridge import MTU, Bridge
from engine.networks.state import reported

if TYPE_CHECKING:
    from engine.layout import Layout


class EndpointPlan(NamedTuple):
    """What ``connect`` makes. ``endpoint_id`` tells several endpoints of one container apart."""

    container_id: str
    ip: str
    mac: str
    endpoint_id: str = ""
    interface: str = "eth0"

    @property
    def host_interface(self) -> str:
        """Name of the veth's host end: 15 bytes, IFNAMSIZ - 1, of which 44 bits are random."""
        return f"veth{(self.endpoint_id or self.container_id)[:11]}"


def connect(layout: Layout, bridge: Bridge, plan: EndpointPlan, netns_fd: int, netlink_fd: int) -> str:
    """Give the container its interface, address and route and bring up its loopback; return the host end's name.

    ``netlink_fd`` is a NETLINK_ROUTE socket that was opened inside the namespace ``netns_fd``. On failure nothing is
    left.
    """
    name = plan.host_interface
    pair = netlink.new_veth(name, bridge.number, MTU, plan.interface, plan.mac, netns_fd)
    with reported(), Netlink.open() as host, ExitStack() as undo:
        try:
            host.transact(pair)
        except FileExistsError:  # left by an attempt that was killed
            host.remove_link(name)
            host.transact(pair)
        undo.callback(host.remove_link, name)
        with Netlink.borrow(netlink_fd) as container:
            _configure(container, bridge, plan)
        host.transact(netlink.hairpin_up(name))
        undo.pop_all()
    return name


def loopback(netlink_fd: int) -> None:
    """Bring up the loopback of a namespace that has no other interface (network ``none``)."""
    with reported(), Netlink.borrow(netlink_fd) as container:
        container.transact(netlink.set_up(netlink.LOOPBACK_INDEX))


def disconnect(layout: Layout, plan: EndpointPlan) -> None:
    """Take the interface away; none is fine.

    The kernel does this by itself when the last process of the container's namespace has gone. Until an address is
    given to another container its pair must be gone, so call this before the address is freed. Deleting a link waits
    for RCU grace periods, some 20 ms, with the kernel's network lock held.
    """
    with reported(), Netlink.open() as host:
        host.remove_link(plan.host_interface)


def _configure(container: Netlink, bridge: Bridge, plan: EndpointPlan) -> None:
    found = container.find_link(plan.interface)
    if found is None:
        raise OSError(errno.ENODEV, "the interface is not in the container's namespace", plan.interface)
    container.transact(
        netlink.set_up(netlink.LOOPBACK_INDEX),
        netlink.without_ipv6(found.number),
        netlink.set_up(found.number),
        netlink.add_address(found.number, IPv4Interface(f"{plan.ip}/{bridge.subnet.prefixlen}")),
        netlink.add_default_route(bridge.gateway.ip),
    )
