"""Rows of the database as the page shows them: few queries, no row more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, TypedDict

from controlpanel.objects.models import Container, Image
from controlpanel.objects.times import ZERO
from engine.images import references


class Port(TypedDict):
    """A published port; ``host_port`` is 0 for one that is exposed only."""

    host_ip: str
    host_port: int
    container_port: int
    protocol: str


class ContainerRow(TypedDict):
    """One line of the containers list. Times are RFC 3339 or empty."""

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


def containers(node: str, ids: Iterable[str] | None = None) -> list[ContainerRow]:
    """The node's containers, newest first; only ``ids`` when given. Two queries."""
    rows = Container.objects.filter(node_id=node).prefetch_related("endpoints").order_by("-created_at")
    return [_container(row) for row in (rows if ids is None else rows.filter(pk__in=list(ids)))]


def images(node: str) -> list[ImageRow]:
    """The node's images, newest first. Three queries."""
    users: dict[str, list[str]] = {}
    for name, image_id in Container.objects.filter(node_id=node).values_list("name", "image_id"):
        users.setdefault(image_id, []).append(name)
    rows = Image.objects.filter(node_id=node).prefetch_related("references").order_by("-created")
    return [_image(row, sorted(users.get(row.image_id, []))) for row in rows]


def counts(node: str) -> dict[str, int]:
    """How many containers are in each state."""
    return dict(Counter(Container.objects.filter(node_id=node).values_list("status", flat=True)))


def _container(row: Container) -> ContainerRow:
    endpoints = list(row.endpoints.all())
    return {
        "id": row.id,
        "name": row.name,
        "image": row.image_name,
        "image_id": row.image_id,
        "command": " ".join([*(row.config.get("Entrypoint") or []), *(row.config.get("Cmd") or [])]),
        "status": row.docker_status,
        "exit_code": row.exit_code,
        "error": row.error,
        "oom_killed": row.oom_killed,
        "created": row.created_at,
        "started": _time(row.started_at),
        "finished": _time(row.finished_at),
        "restarts": row.restart_count,
        "restart_policy": row.restart_policy,
        "auto_remove": row.auto_remove,
        "tty": bool(row.config.get("Tty")),
        "address": next((endpoint.ip for endpoint in endpoints if endpoint.ip), ""),
        "ports": _published(endpoints) or _configured(row),
        "memory_limit": int(row.host_config.get("Memory") or 0),
    }


def _published(endpoints: list[Any]) -> list[Port]:
    ports: list[Port] = [
        {
            "host_ip": port["host_ip"],
            "host_port": int(port["host_port"]),
            "container_port": int(port["container_port"]),
            "protocol": port["protocol"],
        }
        for endpoint in endpoints
        for port in endpoint.ports
    ]
    return sorted(ports, key=lambda port: (port["container_port"], port["host_port"]))


def _configured(row: Container) -> list[Port]:
    """What the image or the request exposes, for a container that publishes nothing at this moment."""
    exposed = sorted((row.config.get("ExposedPorts") or {}).keys())
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
