"""Networks: the three that always exist. User-defined ones are not built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.response import Response

from controlpanel.access.scope import Scope
from controlpanel.api import answers, endpoints
from controlpanel.objects.models import Container, Network
from controlpanel.objects.models.networks import PREDEFINED
from controlpanel.rest import filters, openapi
from controlpanel.rest.openapi import Operation, flag, word
from controlpanel.rest.views import EngineView
from engine.containers.config.decode import BOOL, TEXT
from engine.errors import Forbidden, InvalidArgument, Unsupported

if TYPE_CHECKING:
    from rest_framework.request import Request

KEYS = ("dangling", "driver", "id", "label", "name", "scope", "type")
PRUNE_KEYS = ("until", "label", "label!")
NOT_BUILT = "muelle does not build user-defined networks yet: use bridge, host or none"
CREATE = {"Name": TEXT, "Driver": TEXT, "Internal": BOOL}
CONNECT = {"Container": TEXT, "Force": BOOL}


class NetworkListView(EngineView):
    actions = {"GET": "networks.view"}
    operations = {"GET": Operation("List networks", query=(openapi.filters(*KEYS),), answer=list[answers.Network])}

    def get(self, request: Request) -> Response:
        chosen = filters.parse(request.query_params, KEYS)
        chosen.one_of("type", ("custom", "builtin"))
        chosen.one_of("scope", ("local", "swarm", "global"))
        rows = list(self.scope.networks().order_by("-created_at"))
        return Response([_render(row, {}) for row in rows if _matches(row, chosen)])


def _matches(row: Network, chosen: filters.Filters) -> bool:
    kinds = chosen.values_of("type")
    names = chosen.values_of("name")
    return all(
        (
            not names or filters.expressions(names)(row.name),
            not chosen.values_of("id") or any(row.id.startswith(prefix) for prefix in chosen["id"]),
            not chosen.values_of("driver") or row.driver in chosen["driver"],
            not chosen.values_of("scope") or "local" in chosen["scope"],
            not kinds or ("builtin" if row.is_predefined else "custom") in kinds,
            # Predefined networks never count as dangling.
            chosen.flag("dangling") is not True or not row.is_predefined,
            chosen.labels_match(row.labels),
        )
    )


def _render(row: Network, containers: dict[str, Any]) -> dict[str, Any]:
    return {
        "Name": row.name,
        "Id": row.id,
        "Created": row.created_at,
        "Scope": "local",
        "Driver": row.driver,
        "EnableIPv4": True,
        "EnableIPv6": row.enable_ipv6,
        "IPAM": {"Driver": "default", "Options": None, "Config": [], **row.ipam},
        "Internal": row.internal,
        "Attachable": row.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": containers,
        "Options": row.options,
        "Labels": row.labels,
    }


def _members(scope: Scope, row: Network) -> dict[str, Any]:
    """Running containers by ID."""
    size = endpoints.prefix_length(row.ipam)
    seats = (
        scope.endpoints().filter(network=row).values_list("container_id", "container__name", "endpoint_id", "mac", "ip")
    )
    return {
        container: {
            "Name": name,
            "EndpointID": endpoint,
            "MacAddress": mac,
            "IPv4Address": f"{address}/{size}" if address else "",
            "IPv6Address": "",
        }
        for container, name, endpoint, mac, address in seats
    }


class NetworkView(EngineView):
    """``/networks/{id}``."""

    actions = {"GET": "networks.view", "DELETE": "networks.remove"}
    operations = {
        "GET": Operation(
            "Inspect a network", query=(flag("verbose", "ignored"), word("scope", "ignored")), answer=answers.Network
        )
    }

    def get(self, request: Request, reference: str) -> Response:
        row = self.scope.network(reference, self.action)
        return Response(_render(row, _members(self.scope, row)))

    def delete(self, request: Request, reference: str) -> Response:
        row = self.scope.network(reference, self.action)
        if row.is_predefined:
            raise Forbidden(f"{row.name} is a pre-defined network and cannot be removed")
        raise Unsupported(NOT_BUILT)


class NetworkCreateView(EngineView):
    actions = {"POST": "networks.create"}

    def post(self, request: Request) -> Response:
        wanted = self.read(CREATE, "CreateRequest")
        if not wanted["Name"].strip():
            raise InvalidArgument("invalid network name: name is empty")
        if wanted["Name"] in PREDEFINED:
            raise Forbidden(f"operation is not permitted on predefined {wanted['Name']} network ")
        raise Unsupported(NOT_BUILT)


class NetworkConnectView(EngineView):
    """``connect`` and ``disconnect``: the three networks' endpoints come and go with their containers."""

    actions = {"POST": "networks.connect"}

    def post(self, request: Request, reference: str) -> Response:
        wanted = self.read(CONNECT, "ConnectOptions")
        row = self.scope.network(reference, self.action)
        container = self.scope.container(wanted["Container"], "containers.update")
        self.refuse(row, container)
        raise Unsupported("muelle does not connect containers to networks after their creation yet")

    def refuse(self, row: Network, container: Container) -> None:
        """Raise Docker's own refusals."""
        if row.driver == "host":
            raise Forbidden("cannot connect container to host network - container must be created in host network mode")
        if container.host_config["NetworkMode"] == row.name:
            raise Forbidden(f"endpoint with name {container.name} already exists in network {row.name}")


class NetworkDisconnectView(NetworkConnectView):
    actions = {"POST": "networks.disconnect"}

    def refuse(self, row: Network, container: Container) -> None:
        if row.driver == "host":
            raise Forbidden(
                "cannot disconnect container from host network - container must be created in host network mode"
            )


class NetworkPruneView(EngineView):
    """Predefined networks are never pruned, and there are no others."""

    actions = {"POST": "networks.prune"}
    operations = {
        "POST": Operation(
            "Remove networks that nobody uses", query=(openapi.filters(*PRUNE_KEYS),), answer=answers.NetworksPruned
        )
    }

    def post(self, request: Request) -> Response:
        filters.parse(request.query_params, PRUNE_KEYS)
        return Response({"NetworksDeleted": []})
