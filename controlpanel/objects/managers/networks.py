"""Networks by full ID, name or unique ID prefix; and the three that always exist."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.db import models
from django.db.models import Q

from controlpanel.objects import times
from controlpanel.objects.managers.prefixes import NUL, is_id_prefix, upper_bound
from engine.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from controlpanel.objects.models.networks import Network

PREDEFINED_DRIVERS = {"bridge": "bridge", "host": "host", "none": "null"}
# Docker shows exactly these on the default bridge; the subnet is chosen when a container first needs it.
BRIDGE_OPTIONS = {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
    "com.docker.network.driver.mtu": "1500",
}


class NetworkManager(models.Manager["Network"]):
    def find(self, node: str, reference: str) -> Network:
        """Raises NotFound (``network X not found``), or InvalidArgument when a prefix fits several."""
        if NUL in reference:
            raise NotFound(f"network {reference} not found")
        wanted = Q(name=reference)
        if is_id_prefix(reference):
            wanted |= Q(id__gte=reference, id__lt=upper_bound(reference))
        found = list(self.filter(wanted, node_id=node)[:3])
        exact = [row for row in found if row.id == reference] or [row for row in found if row.name == reference]
        if exact:
            return exact[0]
        if len(found) > 1:
            raise InvalidArgument(f"network {reference} is ambiguous ({len(found)} matches found based on ID prefix)")
        if not found:
            raise NotFound(f"network {reference} not found")
        return found[0]

    afind = sync_to_async(find, thread_sensitive=True)

    def seed(self, node: str, bridge_interface: str) -> None:
        """Make sure that the node has ``bridge``, ``host`` and ``none``."""
        for name, driver in PREDEFINED_DRIVERS.items():
            options = {**BRIDGE_OPTIONS, "com.docker.network.bridge.name": bridge_interface} if name == "bridge" else {}
            self.get_or_create(
                node_id=node,
                name=name,
                defaults={
                    "id": secrets.token_hex(32),
                    "driver": driver,
                    "options": options,
                    "ipam": {"Driver": "default", "Options": None, "Config": []},
                    "created_at": times.now(),
                },
            )
