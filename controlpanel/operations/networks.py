"""A container's seat in its network: the address it is given, the interface and the published ports."""

from __future__ import annotations

import logging
import secrets
from ipaddress import IPv4Network
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction

from controlpanel.objects.models import Container, Endpoint, Network
from engine.containers.config import ports as config_ports
from engine.errors import SystemFailure, Unsupported
from engine.networks import addresses, bridge, endpoint, ports
from engine.networks.bridge import Bridge
from engine.networks.endpoint import EndpointPlan
from engine.networks.ports import PortMapping

ATTEMPTS = 20
BRIDGE = "bridge"

logger = logging.getLogger(__name__)


class Seat(NamedTuple):
    """A reserved place: its row, its network with the bridge in the kernel, and what the engine needs to connect."""

    network: Network
    bridge: Bridge
    row: Endpoint
    plan: EndpointPlan


def mode_of(container: Container) -> str:
    """``bridge``, ``host``, ``none``, ``container:<id>`` or a network's name."""
    mode: str = container.host_config.get("NetworkMode") or "default"
    return BRIDGE if mode == "default" else mode


def reserve(container: Container) -> Seat | None:
    """Take an address in the container's network; None for host, none and a shared namespace."""
    mode = mode_of(container)
    if mode in {"host", "none"} or mode.startswith("container:"):
        return None
    network = Network.objects.filter(node_id=settings.MUELLE_NODE, name=mode).first()
    network = network or Network.objects.find(settings.MUELLE_NODE, mode)
    if network.name != BRIDGE:
        raise Unsupported(f"network {network.name}: only the default bridge, host and none are built")
    device = _bridge(network)
    row = _claim(container, network, device.subnet)
    return Seat(network, device, row, plan_of(row))


def plan_of(row: Endpoint) -> EndpointPlan:
    return EndpointPlan(row.container_id, row.ip, row.mac, row.endpoint_id)


def occupy(container: Container, seat: Seat, netns_fd: int, netlink_fd: int) -> None:
    """Connect the namespace and publish the container's ports; on failure nothing of it is left in the kernel."""
    layout = settings.MUELLE_LAYOUT
    endpoint.connect(layout, seat.bridge, seat.plan, netns_fd, netlink_fd)
    wishes = _wishes(container)
    if not wishes:
        return
    try:
        published = ports.publish(layout, seat.row.ip, wishes, f"{container.name} ({seat.row.endpoint_id})")
    except BaseException:
        endpoint.disconnect(layout, seat.plan)
        raise
    seat.row.ports = [mapping._asdict() for mapping in published]
    seat.row.save(update_fields=["ports"])


def release(row: Endpoint) -> None:
    """Unpublish the ports of an endpoint and free its address. The interface goes with its namespace; see ``sweep``."""
    if row.ports:
        ports.unpublish(settings.MUELLE_LAYOUT, row.ip, mappings(row))
    row.delete()


def sweep(plan: EndpointPlan) -> None:
    """Take the interface away if its namespace lives on because another container shares it."""
    try:
        endpoint.disconnect(settings.MUELLE_LAYOUT, plan)
    except SystemFailure as error:
        logger.warning("interface %s stays: %s", plan.host_interface, error)


def mappings(row: Endpoint) -> list[PortMapping]:
    return [PortMapping(**mapping) for mapping in row.ports]


def restore_ports(node: str) -> None:
    """Publish anew what the rows say is published: the firewall table was lost under running containers."""
    rows = Endpoint.objects.filter(network__node_id=node).exclude(ports=[])
    ports.restore(settings.MUELLE_LAYOUT, {row.ip: mappings(row) for row in rows})


def _wishes(container: Container) -> list[PortMapping]:
    return [
        PortMapping(wish.protocol, wish.host_ip, wish.first, wish.container_port, wish.last)
        for wish in config_ports.requests(container.config, container.host_config)
    ]


def _bridge(network: Network) -> Bridge:
    device = bridge.ensure(settings.MUELLE_LAYOUT, network.subnet or None)
    if not network.subnet:
        config = [{"Subnet": str(device.subnet), "Gateway": str(device.gateway.ip)}]
        network.ipam = {**network.ipam, "Config": config}
        network.save(update_fields=["ipam"])
    if device.ports_lost:
        restore_ports(network.node_id)
    return device


def _claim(container: Container, network: Network, subnet: IPv4Network) -> Endpoint:
    """Insert the endpoint with a free address; the unique index decides between two starts that want the same."""
    for _ in range(ATTEMPTS):
        taken = dict(network.endpoints.values_list("ip", "container_id"))
        if container.id in taken.values():
            # What an earlier run left behind: a container has one endpoint in a network.
            for stale in container.endpoints.filter(network=network):
                release(stale)
        address = addresses.allocate(subnet, taken.keys(), network.last_ip or None)
        try:
            return _insert(container, network, address)
        except IntegrityError:
            network.refresh_from_db(fields=["last_ip"])
    raise SystemFailure(f"no address of network {network.name} could be had: too many starts at once")


def _insert(container: Container, network: Network, address: str) -> Endpoint:
    endpoint_id = secrets.token_hex(32)
    with transaction.atomic():
        Network.objects.filter(pk=network.pk).update(last_ip=address)
        return Endpoint.objects.create(
            network=network,
            container=container,
            endpoint_id=endpoint_id,
            ip=address,
            mac=addresses.mac(address),
            host_interface=EndpointPlan(container.id, address, "", endpoint_id).host_interface,
        )
