"""Networks and the endpoints by which containers join them."""

from __future__ import annotations

import secrets

from django.db import models

from controlpanel.objects.identifiers import NUL, meant
from controlpanel.objects.models.containers import Container
from controlpanel.objects.models.nodes import Node
from controlpanel.objects.models.projects import DEFAULT, Project
from engine import rfc3339
from engine.errors import InvalidArgument, NotFound

PREDEFINED_DRIVERS = {"bridge": "bridge", "host": "host", "none": "null"}
PREDEFINED = frozenset(PREDEFINED_DRIVERS)
# Docker shows exactly these on the default bridge; the subnet is chosen when a container first needs it.
BRIDGE_OPTIONS = {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
    "com.docker.network.driver.mtu": "1500",
}


class NetworkQuerySet(models.QuerySet["Network"]):
    def find(self, reference: str, home: str = DEFAULT) -> Network:
        """Of these the network with this ID, name or unique ID prefix.

        Raises NotFound (``network X not found``), or InvalidArgument when a prefix fits several.
        """
        if NUL in reference:
            raise NotFound(f"network {reference} not found")
        found = meant(self, reference, reference, home)
        if not found:
            raise NotFound(f"network {reference} not found")
        if len(found) > 1:
            raise InvalidArgument(f"network {reference} is ambiguous ({len(found)} matches found based on ID prefix)")
        return found[0]

    def seed(self, node: str, bridge_interface: str) -> None:
        """Make sure that the node has ``bridge``, ``host`` and ``none``."""
        for name, driver in PREDEFINED_DRIVERS.items():
            options = {**BRIDGE_OPTIONS, "com.docker.network.bridge.name": bridge_interface} if name == "bridge" else {}
            self.get_or_create(
                node_id=node,
                name=name,
                project_id=DEFAULT,
                defaults={
                    "id": secrets.token_hex(32),
                    "driver": driver,
                    "options": options,
                    "ipam": {"Driver": "default", "Options": None, "Config": []},
                    "created_at": rfc3339.now(),
                },
            )


class Network(models.Model):
    """A network of one node; ``bridge``, ``host`` and ``none`` exist from the first migration's node on.

    ``ipam`` is Docker's IPAM object. The default bridge's subnet is chosen when it is first needed and then kept there.
    ``last_ip`` is the address given out last: the next one follows it, so that a freed address comes back late.
    """

    id = models.CharField(max_length=64, primary_key=True)
    node = models.ForeignKey(Node, on_delete=models.CASCADE)
    project = models.ForeignKey(Project, on_delete=models.PROTECT)
    name = models.CharField(max_length=255)
    driver = models.CharField(max_length=64, default="bridge")
    options = models.JSONField(default=dict)
    ipam = models.JSONField(default=dict)
    labels = models.JSONField(default=dict)
    internal = models.BooleanField(default=False)
    attachable = models.BooleanField(default=False)
    enable_ipv6 = models.BooleanField(default=False)
    created_at = models.CharField(max_length=40)
    last_ip = models.CharField(max_length=45, default="", blank=True)

    objects = NetworkQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "project", "name"], name="network_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_predefined(self) -> bool:
        return self.name in PREDEFINED

    @property
    def subnet(self) -> str:
        """``172.17.0.0/16``, or empty while none is chosen."""
        return self._ipam("Subnet")

    @property
    def gateway(self) -> str:
        return self._ipam("Gateway")

    def _ipam(self, key: str) -> str:
        pools = self.ipam.get("Config") or [{}]
        value: str = pools[0].get(key, "")
        return value


class Endpoint(models.Model):
    """A container in a network: reserved before its start, and there while it runs.

    ``ip`` and ``mac`` as text; ``host_interface`` is the veth's name in the host; ``ports`` is a list of
    ``{"protocol", "host_ip", "host_port", "container_port"}`` as published, ephemeral ones resolved.
    """

    network = models.ForeignKey(Network, on_delete=models.CASCADE, related_name="endpoints")
    container = models.ForeignKey(Container, on_delete=models.CASCADE, related_name="endpoints")
    endpoint_id = models.CharField(max_length=64)
    ip = models.CharField(max_length=45, default="", blank=True)
    mac = models.CharField(max_length=17, default="", blank=True)
    host_interface = models.CharField(max_length=15, default="", blank=True)
    ports = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network", "container"], name="one_endpoint_per_network"),
            models.UniqueConstraint(
                fields=["network", "ip"], condition=~models.Q(ip=""), name="address_once_per_network"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ip} in {self.network_id}"
