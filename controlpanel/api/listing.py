"""``GET /containers/json``: one query for the containers, two for their networks, one for the names of images.

JSON columns are fetched as text and read by orjson, and of the long HostConfig the database returns only what is shown:
with a hundred containers that is half of the time.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from django.db.models import TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from controlpanel.api import durations, endpoints, mounts
from controlpanel.objects import states
from controlpanel.objects.models import Container, ImageReference
from controlpanel.objects.states import Status
from engine.containers.config.image import command
from engine.errors import InvalidArgument
from engine.images import references

COLUMNS = (
    "id", "name", "image_name", "image_id", "status", "previous_status", "exit_code", "created_at", "started_at",
    "finished_at",
)  # fmt: skip
EXPRESSIONS = {
    "config_text": Cast("config", TextField()),
    "networking_text": Cast("networking", TextField()),
    "mounts_text": Cast("mounts", TextField()),
    "network_mode": KT("host_config__NetworkMode"),
}
# What a container without ``all`` must be: alive, waiting for its next start, or on the way from there.
SHOWN_BY_DEFAULT = states.RUNNING_FOR_DOCKER | {Status.STARTING}


class Row(NamedTuple):
    """The columns of a container that the list shows or filters by."""

    id: str
    name: str
    image_name: str
    image_id: str
    status: str
    previous_status: str
    exit_code: int
    created_at: str
    started_at: str
    finished_at: str
    config: dict[str, Any]
    networking: dict[str, Any]
    mounts: list[dict[str, Any]]
    network_mode: str

    @property
    def state(self) -> str:
        """Docker's state: ``starting`` is shown as the state before it."""
        return self.previous_status if self.status == Status.STARTING else self.status

    @property
    def is_running(self) -> bool:
        return self.state in states.RUNNING_FOR_DOCKER

    @property
    def exposed(self) -> Iterable[str]:
        return self.config.get("ExposedPorts") or {}


def rows(node: str, *, everything: bool) -> list[Row]:
    """The node's containers, newest first; only those that run unless ``everything``."""
    query = Container.objects.filter(node_id=node)
    if not everything:
        query = query.filter(status__in=SHOWN_BY_DEFAULT)
    found = [_row(values) for values in query.annotate(**EXPRESSIONS).values_list(*COLUMNS, *EXPRESSIONS)]
    if not everything:
        found = [row for row in found if row.is_running]
    # Without its Z a time with a shorter fraction sorts before one with a longer.
    return sorted(found, key=lambda row: row.created_at[:-1], reverse=True)


def _row(values: tuple[Any, ...]) -> Row:
    config, networking, mounts, mode = values[len(COLUMNS) :]
    plain: tuple[Any, ...] = values[: len(COLUMNS)]
    decoded: list[Any] = [orjson.loads(text) for text in (config, networking, mounts)]
    return Row._make((*plain, *decoded, mode))


def render(node: str, chosen: list[Row], sizes: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Docker's container summaries; with sizes where ``sizes`` has them."""
    seats = endpoints.Seats.of_node(node)
    names = image_names(node)
    now = time.time()
    return [{**_entry(row, seats, names, now), **_sizes(sizes.get(row.id))} for row in chosen]


def _entry(row: Row, seats: endpoints.Seats, names: Mapping[str, str], now: float) -> dict[str, Any]:
    return {
        "Id": row.id,
        "Names": [f"/{row.name}"],
        "Image": shown_image(row.image_name, row.image_id, names),
        "ImageID": row.image_id,
        "Command": " ".join(_quoted(word) for word in command(row.config)),
        "Created": int(durations.unix(row.created_at)),
        "Ports": endpoints.port_list(row.id, row.exposed, row.is_running, seats),
        "Labels": row.config.get("Labels") or {},
        "State": row.state,
        "Status": durations.status(row.state, row.exit_code, row.started_at, row.finished_at, now),
        "HostConfig": {"NetworkMode": row.network_mode},
        "NetworkSettings": {"Networks": endpoints.networks(row.id, row.network_mode, row.networking, seats)},
        "Mounts": mounts.render(row.mounts),
    }


def _quoted(word: str) -> str:
    """Docker quotes an argument that holds a space."""
    return f"'{word}'" if " " in word else word


def _sizes(sizes: Mapping[str, int] | None) -> dict[str, int]:
    return {} if sizes is None else {"SizeRw": sizes["rw"], "SizeRootFs": sizes["rootfs"]}


def image_names(node: str) -> dict[str, str]:
    """Image IDs by canonical reference."""
    return dict(ImageReference.objects.filter(node_id=node).values_list("name", "image__image_id"))


def shown_image(name: str, image_id: str, names: Mapping[str, str]) -> str:
    """The name that the container was made from while it still means that image, else the image's ID."""
    if image_id.removeprefix("sha256:").startswith(name.removeprefix("sha256:")):
        return name
    return name if names.get(_canonical(name)) == image_id else image_id


@functools.lru_cache(maxsize=1024)
def _canonical(name: str) -> str:
    """The whole name of an image; empty for what is no name. Many containers share few images."""
    try:
        return references.parse(name).canonical
    except InvalidArgument:
        return ""
