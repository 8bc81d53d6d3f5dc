"""Rows of the database as the page shows them: few queries, no row more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypedDict

import orjson
from django.db.models import F, QuerySet, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from controlpanel.access.scope import Scope
from controlpanel.objects import states
from controlpanel.objects.models import Endpoint, Image
from controlpanel.rest.listing import image_names, newest_first, shown_image
from engine.containers.config import complete_config
from engine.containers.config.image import command
from engine.containers.config.objects import Config
from engine.images import references
from engine.rfc3339 import ZERO


class Port(TypedDict):
    """A published port; ``host_port`` is 0 for one that is exposed only."""

    host_ip: str
    host_port: int
    container_port: int
    protocol: str


class ContainerRow(TypedDict):
    """One line of the containers list. Times are RFC 3339 or empty; ``image`` is an ID when no name means it now."""

    id: str
    name: str
    image: str
    image_id: str
    command: str
    status: str
    exit_code: int
    error: str
    oom_killed: bool
    created: str
    started: str
    finished: str
    restarts: int
    restart_policy: str
    auto_remove: bool
    tty: bool
    address: str
    ports: list[Port]
    memory_limit: int


class ImageRow(TypedDict):
    """One line of the images list; ``containers`` names those that use the image."""

    id: str
    tags: list[str]
    created: str
    size: int
    layers: int
    containers: list[str]


# JSON is fetched as text for orjson, and of the long HostConfig only what is shown.
COLUMNS = (
    "id", "name", "image_name", "image_id", "status", "previous_status", "exit_code", "error", "oom_killed",
    "created_at", "started_at", "finished_at", "restart_count",
)  # fmt: skip
EXPRESSIONS = {
    "config_text": Cast("config", TextField()),
    "restart_policy_name": KT("host_config__RestartPolicy__Name"),
    "removed_at_its_end": F("host_config__AutoRemove"),
    "memory": F("host_config__Memory"),
}


class Row(NamedTuple):
    """The columns of a container that the list needs, in the order of the query."""

    id: str
    name: str
    image_name: str
    image_id: str
    status: str
    previous_status: str
    exit_code: int
    error: str
    oom_killed: bool
    created_at: str
    started_at: str
    finished_at: str
    restart_count: int
    config: Config
    restart_policy: str
    auto_remove: bool
    memory: int


class Address(NamedTuple):
    """What a network knows of a container."""

    ip: str
    ports: list[dict[str, Any]]


def containers(scope: Scope, ids: Iterable[str] | None = None) -> list[ContainerRow]:
    """The containers in reach, newest first; only ``ids`` when given. Three queries."""
    rows, endpoints = scope.containers(), scope.endpoints()
    if ids is not None:
        chosen = list(ids)
        rows, endpoints = rows.filter(pk__in=chosen), endpoints.filter(container_id__in=chosen)
    addresses = _addresses(endpoints)
    found = [_row(values) for values in rows.annotate(**EXPRESSIONS).values_list(*COLUMNS, *EXPRESSIONS)]
    names = image_names(scope)
    return [_container(row, addresses.get(row.id, []), names) for row in newest_first(found)]


def _row(values: tuple[Any, ...]) -> Row:
    config, policy, auto_remove, memory = values[len(COLUMNS) :]
    own = complete_config(orjson.loads(config))
    return Row._make((*values[: len(COLUMNS)], own, policy or "no", bool(auto_remove), memory or 0))


def _addresses(endpoints: QuerySet[Endpoint]) -> dict[str, list[Address]]:
    """By container."""
    found: dict[str, list[Address]] = {}
    texts = endpoints.annotate(ports_text=Cast("ports", TextField()))
    for container_id, ip, ports in texts.values_list("container_id", "ip", "ports_text"):
        found.setdefault(container_id, []).append(Address(ip, orjson.loads(ports)))
    return found


def images(scope: Scope) -> list[ImageRow]:
    """The images in reach, newest first. Three queries."""
    users: dict[str, list[str]] = {}
    for name, image_id in scope.containers().values_list("name", "image_id"):
        users.setdefault(image_id, []).append(name)
    rows = scope.images().prefetch_related("references").order_by("-created")
    return [_image(row, sorted(users.get(row.image_id, []))) for row in rows]


def counts(scope: Scope) -> dict[str, int]:
    """How many containers are in each state."""
    rows = scope.containers().values_list("status", "previous_status")
    return dict(Counter(states.shown(status, previous) for status, previous in rows))


def _container(row: Row, addresses: list[Address], names: Mapping[str, str]) -> ContainerRow:
    return {
        "id": row.id,
        "name": row.name,
        "image": shown_image(row.image_name, row.image_id, names),
        "image_id": row.image_id,
        "command": " ".join(command(row.config)),
        "status": states.shown(row.status, row.previous_status),
        "exit_code": row.exit_code,
        "error": row.error,
        "oom_killed": row.oom_killed,
        "created": row.created_at,
        "started": _time(row.started_at),
        "finished": _time(row.finished_at),
        "restarts": row.restart_count,
        "restart_policy": row.restart_policy,
        "auto_remove": row.auto_remove,
        "tty": row.config["Tty"],
        "address": next((address.ip for address in addresses if address.ip), ""),
        "ports": _published(addresses) or _configured(row.config),
        "memory_limit": row.memory,
    }


def _published(addresses: list[Address]) -> list[Port]:
    ports: list[Port] = [
        {
            "host_ip": port["host_ip"],
            "host_port": int(port["host_port"]),
            "container_port": int(port["container_port"]),
            "protocol": port["protocol"],
        }
        for address in addresses
        for port in address.ports
    ]
    return sorted(ports, key=lambda port: (port["container_port"], port["host_port"]))


def _configured(config: Config) -> list[Port]:
    """What the image or the request exposes, for a container that publishes nothing at this moment."""
    exposed = sorted(config["ExposedPorts"] or {})
    pairs = (name.partition("/") for name in exposed)
    return [
        {"host_ip": "", "host_port": 0, "container_port": int(port), "protocol": protocol or "tcp"}
        for port, _, protocol in pairs
        if port.isdigit()
    ]


def _image(row: Image, users: list[str]) -> ImageRow:
    names = [str(reference.name) for reference in row.references.all() if not reference.is_digest]
    return {
        "id": row.image_id,
        "tags": sorted(references.parse(name).familiar for name in names),
        "created": _time(row.created),
        "size": row.size,
        "layers": len(row.layers),
        "containers": users,
    }


def _time(text: str) -> str:
    return "" if text == ZERO else text
