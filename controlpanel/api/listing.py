"""``GET /containers/json``: one query for the containers, two for their networks, one for the names of images.

JSON columns are fetched as text and read by orjson, and of the long HostConfig the database returns only what is shown:
with a hundred containers that is half of the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from django.db.models import TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from controlpanel.access.scope import Scope
from controlpanel.api import durations, endpoints, mounts
from controlpanel.contracts.containers import Sizes
from controlpanel.objects import states
from controlpanel.objects.states import Status
from controlpanel.rest.listing import image_names, newest_first, shown_image
from engine import rfc3339
from engine.containers.config import complete_config
from engine.containers.config.image import command
from engine.containers.config.objects import Config

COLUMNS = (
    "id", "name", "image_name", "image_id", "status", "previous_status", "exit_code", "created_at", "started_at",
    "finished_at",
)  # fmt: skip
EXPRESSIONS = {
    "config_text": Cast("config", TextField()),
    "networking_text": Cast("networking", TextField()),
    "mounts_text": Cast("mounts", TextField()),
    "network_mode": KT("host_config__NetworkMode"),
    "annotations_text": KT("host_config__Annotations"),
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
    config: Config
    networking: dict[str, Any]
    mounts: list[dict[str, Any]]
    network_mode: str
    annotations: dict[str, str] | None

    @property
    def state(self) -> str:
        """Docker's state."""
        return states.shown(self.status, self.previous_status)

    @property
    def is_running(self) -> bool:
        return self.state in states.RUNNING_FOR_DOCKER

    @property
    def exposed(self) -> Iterable[str]:
        return self.config["ExposedPorts"] or {}


def rows(scope: Scope, *, everything: bool) -> list[Row]:
    """The containers in reach, newest first; only those that run unless ``everything``."""
    query = scope.containers()
    if not everything:
        query = query.filter(status__in=SHOWN_BY_DEFAULT)
    found = [_row(values) for values in query.annotate(**EXPRESSIONS).values_list(*COLUMNS, *EXPRESSIONS)]
    if not everything:
        found = [row for row in found if row.is_running]
    return newest_first(found)


def _row(values: tuple[Any, ...]) -> Row:
    config, networking, mounts, mode, annotations = values[len(COLUMNS) :]
    plain: tuple[Any, ...] = values[: len(COLUMNS)]
    own = complete_config(orjson.loads(config))
    noted = orjson.loads(annotations) if annotations else None
    return Row._make((*plain, own, orjson.loads(networking), orjson.loads(mounts), mode, noted))


def render(
    scope: Scope, chosen: list[Row], sizes: Mapping[str, Sizes], *, annotations: bool = True
) -> list[dict[str, Any]]:
    """Docker's container summaries; with sizes where ``sizes`` has them, with ``annotations`` from API 1.46 on."""
    attached = endpoints.Endpoints.of(scope)
    names = image_names(scope)
    now = time.time()
    entries = [{**_entry(row, attached, names, now), **_sizes(sizes.get(row.id))} for row in chosen]
    if annotations:
        for row, entry in zip(chosen, entries, strict=True):
            if row.annotations:
                entry["HostConfig"]["Annotations"] = row.annotations
    return entries


def _entry(row: Row, attached: endpoints.Endpoints, names: Mapping[str, str], now: float) -> dict[str, Any]:
    return {
        "Id": row.id,
        "Names": [f"/{row.name}"],
        "Image": shown_image(row.image_name, row.image_id, names),
        "ImageID": row.image_id,
        "Command": " ".join(_quoted(word) for word in command(row.config)),
        "Created": rfc3339.parse(row.created_at) // rfc3339.NANO,
        "Ports": endpoints.port_list(row.id, row.exposed, row.is_running, attached),
        "Labels": row.config["Labels"],
        "State": row.state,
        "Status": durations.status(row.state, row.exit_code, row.started_at, row.finished_at, now),
        "HostConfig": {"NetworkMode": row.network_mode},
        "NetworkSettings": {"Networks": endpoints.networks(row.id, row.network_mode, row.networking, attached)},
        "Mounts": mounts.render(row.mounts),
    }


def _quoted(word: str) -> str:
    """Docker quotes an argument that holds a space."""
    return f"'{word}'" if " " in word else word


def _sizes(sizes: Sizes | None) -> dict[str, int]:
    return {} if sizes is None else {"SizeRw": sizes["rw"], "SizeRootFs": sizes["rootfs"]}
