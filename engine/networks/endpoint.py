"""A container's place in a network: a veth pair, its address, and its published ports.

A plan is complete: which network, which address, which ports is decided before, by whoever keeps count of them.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import TYPE_CHECKING, NamedTuple

from engine.kernel import netlink
from engine.kernel.netlink import Netlink
from engine.networks import ports
from engine.networks.bridge import MTU
from engine.networks.ports import PortMapping
from engine.networks.state import reported
from engine.undo import undone_on_failure

if TYPE_CHECKING:
    from engine.layout import Layout


class EndpointPlan(NamedTuple):
    """One endpoint of a container, in a bridge network.

    ``interface`` is its name inside (eth0, eth1 …), ``owner`` the container's, for error texts. ``ports`` are what is
    wanted before `attach`, and what is published after it. ``gateway`` is empty in a network that has no way out; of
    several endpoints the one with the highest ``gateway_priority`` has the default route.
    """

    endpoint_id: str
    bridge: str
    subnet: str
    gateway: str
    ip: str
    mac: str
    interface: str = "eth0"
    gateway_priority: int = 0
    ports: tuple[PortMapping, ...] = ()
    owner: str = ""

    @property
    def host_interface(self) -> str:
        """Name of the veth's host end: 15 bytes, IFNAMSIZ - 1, of which 44 bits are random."""
        return f"veth{self.endpoint_id[:11]}"


def attach(layout: Layout, plan: EndpointPlan, netns_fd: int, netlink_fd: int) -> EndpointPlan:
    """Give the namespace its interface and address, and publish the ports; the plan comes back with the ports chosen.

    The bridge is there (`bridge.ensure`). ``netlink_fd`` is a NETLINK_ROUTE socket that was opened inside the namespace
    ``netns_fd``. On failure nothing is left.
    """
    with undone_on_failure("attachment to a network") as undo:
        undo.callback(remove_interface, layout, plan)
        _connect(plan, netns_fd, netlink_fd)
        if not plan.ports:
            return plan
        published = ports.publish(layout, plan.ip, plan.ports, f"{plan.owner} ({plan.endpoint_id})")
        return plan._replace(ports=tuple(published))


def detach(layout: Layout, plan: EndpointPlan) -> None:
    """Take back all that `attach` made; what is not there is fine. Afterwards the address may be given to another."""
    try:
        unpublish(layout, plan)
    finally:
        remove_interface(layout, plan)


def unpublish(layout: Layout, plan: EndpointPlan) -> None:
    """Take every published port away that leads to the endpoint, also those of an attempt that was killed half-way."""
    if plan.ports:
        ports.unpublish(layout, plan.ip)


def remove_interface(layout: Layout, plan: EndpointPlan) -> None:
    """Take the interface away; none is fine.

    The kernel does this by itself when the last process of the container's namespace has gone, if no other container
    shares it. Deleting a link waits for RCU grace periods, some 20 ms, with the kernel's network lock held.
    """
    with reported(), Netlink.open() as host:
        host.remove_link(plan.host_interface)


def loopback(netlink_fd: int) -> None:
    """Bring up the loopback of a namespace."""
    with reported(), Netlink.borrow(netlink_fd) as container:
        container.transact(netlink.set_up(netlink.LOOPBACK_INDEX))


def gateway_endpoint(plans: Iterable[EndpointPlan]) -> EndpointPlan | None:
    """The endpoint that leads out of the container: highest priority first, then the order in which they stand."""
    leading_out = [plan for plan in plans if plan.gateway]
    return max(leading_out, key=lambda plan: plan.gateway_priority, default=None)


def set_default_route(plan: EndpointPlan, netlink_fd: int) -> None:
    """Lead everything that is not on a network of the container's through this endpoint."""
    with reported(), Netlink.borrow(netlink_fd) as container:
        container.transact(netlink.add_default_route(IPv4Address(plan.gateway)))


def _connect(plan: EndpointPlan, netns_fd: int, netlink_fd: int) -> None:
    name = plan.host_interface
    with reported(), Netlink.open() as host:
        bridge = host.find_link(plan.bridge)
        if bridge is None:
            raise OSError(errno.ENODEV, "there is no such bridge", plan.bridge)
        pair = netlink.new_veth(name, bridge.number, MTU, plan.interface, plan.mac, netns_fd)
        try:
            host.transact(pair)
        except FileExistsError:  # left by an attempt that was killed
            host.remove_link(name)
            host.transact(pair)
        with Netlink.borrow(netlink_fd) as container:
            _configure(container, plan)
        host.transact(netlink.hairpin_up(name))


def _configure(container: Netlink, plan: EndpointPlan) -> None:
    found = container.find_link(plan.interface)
    if found is None:
        raise OSError(errno.ENODEV, "the interface is not in the container's namespace", plan.interface)
    container.transact(
        netlink.without_ipv6(found.number),
        netlink.set_up(found.number),
        netlink.add_address(found.number, IPv4Interface(f"{plan.ip}/{IPv4Network(plan.subnet).prefixlen}")),
    )
