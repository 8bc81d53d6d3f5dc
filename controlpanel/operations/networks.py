"""Endpoints of containers: the network and the address that one is given, before the engine attaches it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from ipaddress import IPv4Network

from django.conf import settings
from django.db import IntegrityError, transaction

from controlpanel.objects import events
from controlpanel.objects.models import Container, Endpoint, Network
from engine.containers.config import ports as config_ports
from engine.errors import SystemFailure, Unsupported
from engine.networks import addresses, bridge, endpoint, ports
from engine.networks.endpoint import EndpointPlan
from engine.networks.ports import PortMapping

ATTEMPTS = 20
BRIDGE = "bridge"


def reserve(container: Container) -> list[Endpoint]:
    """Take an address in each of the container's networks; none for host, none and a shared namespace."""
    mode = container.host_config["NetworkMode"]
    if mode in {"host", "none"} or mode.startswith("container:"):
        return []
    network = Network.objects.filter(node_id=settings.MUELLE_NODE).find(mode, container.project_id)
    if network.name != BRIDGE:
        raise Unsupported(f"network {network.name}: only the default bridge, host and none are built")
    if not network.subnet:
        _choose_subnet(network)
    return [_take_address(container, network)]


def plans_of(container: Container, rows: Iterable[Endpoint]) -> tuple[EndpointPlan, ...]:
    """What the engine attaches, and detaches again. A row without ports has what its container wants published."""
    wanted = tuple(
        PortMapping(wish.protocol, wish.host_ip, wish.first, wish.container_port, wish.last)
        for wish in config_ports.requests(container.config, container.host_config)
    )
    return tuple(
        EndpointPlan(
            endpoint_id=row.endpoint_id,
            bridge=settings.MUELLE_LAYOUT.bridge,
            subnet=row.network.subnet,
            gateway=row.network.gateway,
            ip=row.ip,
            mac=row.mac,
            interface=f"eth{number}",
            ports=tuple(mappings(row)) or wanted,
            owner=container.name,
        )
        for number, row in enumerate(rows)
    )


def endpoints_of(container: Container) -> list[Endpoint]:
    """The endpoints of a container in the order of their interfaces."""
    return list(container.endpoints.select_related("network").order_by("pk"))


def record_ports(rows: Iterable[Endpoint], plans: Iterable[EndpointPlan]) -> None:
    """Write down what has been published for endpoints that are attached."""
    for row, plan in zip(rows, plans, strict=True):
        if plan.ports:
            row.ports = [mapping._asdict() for mapping in plan.ports]
            row.save(update_fields=["ports"])


def find_ports(container: Container) -> None:
    """Write down what is published for a container whose starter died before it could."""
    rows = endpoints_of(container)
    found = [
        plan._replace(ports=tuple(ports.published(settings.MUELLE_LAYOUT, plan.ip))) if plan.ports else plan
        for plan in plans_of(container, rows)
    ]
    record_ports(rows, found)


def free(rows: Iterable[Endpoint]) -> None:
    """Give the addresses back: in the kernel is nothing of the endpoints, but for interfaces on their way out."""
    for row in rows:
        row.delete()


def mappings(row: Endpoint) -> list[PortMapping]:
    return [PortMapping(**mapping) for mapping in row.ports]


def restore_ports(node: str) -> None:
    """Publish anew what the rows say is published: the firewall table was lost under running containers."""
    rows = Endpoint.objects.filter(network__node_id=node)
    ports.restore(settings.MUELLE_LAYOUT, {row.ip: mappings(row) for row in rows})


def events_of(container: Container, rows: Iterable[Endpoint], action: str) -> list[events.Event]:
    """``connect`` or ``disconnect`` events."""
    return [
        events.event(
            "network",
            action,
            row.network_id,
            {"container": container.id, "name": row.network.name, "type": row.network.driver},
            container.project_id,
        )
        for row in rows
    ]


def _choose_subnet(network: Network) -> None:
    """The default bridge's is chosen when it is first needed, among those that the host does not use."""
    made = bridge.ensure(settings.MUELLE_LAYOUT)
    config = [{"Subnet": str(made.subnet), "Gateway": str(made.gateway.ip)}]
    network.ipam = {**network.ipam, "Config": config}
    network.save(update_fields=["ipam"])
    if made.ports_lost:
        restore_ports(network.node_id)


def _take_address(container: Container, network: Network) -> Endpoint:
    """Insert the endpoint with a free address; the unique index decides between two starts that want the same."""
    subnet = IPv4Network(network.subnet)
    for _ in range(ATTEMPTS):
        taken = dict(network.endpoints.values_list("ip", "container_id"))
        if container.id in taken.values():
            _clear_up(container, network)
        address = addresses.allocate(subnet, taken.keys(), network.last_ip or None)
        try:
            return _insert(container, network, address)
        except IntegrityError:
            network.refresh_from_db(fields=["last_ip"])
    raise SystemFailure(f"no address of network {network.name} could be had: too many starts at once")


def _clear_up(container: Container, network: Network) -> None:
    """Take away what an earlier run left behind: a container has one endpoint in a network."""
    rows = [row for row in endpoints_of(container) if row.network_id == network.pk]
    for plan in plans_of(container, rows):
        endpoint.detach(settings.MUELLE_LAYOUT, plan)
    free(rows)


def _insert(container: Container, network: Network, address: str) -> Endpoint:
    endpoint_id = secrets.token_hex(32)
    mac = addresses.mac(address)
    with transaction.atomic():
        Network.objects.filter(pk=network.pk).update(last_ip=address)
        return Endpoint.objects.create(
            network=network,
            container=container,
            endpoint_id=endpoint_id,
            ip=address,
            mac=mac,
            host_interface=EndpointPlan(endpoint_id, "", "", "", address, mac).host_interface,
        )
