"""``docker system df``: sizes of layers, images, containers and volumes."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from controlpanel.access.scope import Scope
from controlpanel.api import images_rendering, listing, volumes_rendering
from controlpanel.api.listing import Row
from controlpanel.contracts import containers, images, volumes
from controlpanel.objects.models import Image, Volume
from controlpanel.rest import versions
from controlpanel.rest.views import in_thread


class Rows(NamedTuple):
    """What there is to be measured, as the scope reaches it."""

    containers: list[Row]
    images: list[Image]
    volumes: list[Volume]
    uses: Counter[int]  # of volumes, by row key

    @classmethod
    def of(cls, scope: Scope) -> Rows:
        return cls(
            listing.rows(scope, everything=True),
            list(scope.images().prefetch_related("references")),
            list(scope.volumes().order_by("name")),
            Counter(scope.volume_uses().values_list("volume_id", flat=True)),
        )


async def collect(scope: Scope, kinds: frozenset[str], version: versions.Version) -> dict[str, Any]:
    """The reply of ``GET /system/df`` with the asked-for kinds filled in, the others empty."""
    answer: dict[str, Any] = {"LayersSize": 0, "Images": [], "Containers": [], "Volumes": [], "BuildCache": []}
    rows = await in_thread(Rows.of)(scope)
    if "image" in kinds:
        layers = await images.layer_sizes(scope)
        answer["LayersSize"] = sum(layers.values())
        answer["Images"] = [images_rendering.for_version(entry, version) for entry in _images(rows, layers)]
    if "container" in kinds and rows.containers:
        sizes = await containers.sizes(scope, [row.id for row in rows.containers])
        answer["Containers"] = await in_thread(listing.render)(scope, rows.containers, sizes)
    if "volume" in kinds and rows.volumes:
        bytes_of = await volumes.usage(scope, [row.pk for row in rows.volumes])
        answer["Volumes"] = [_volume(row, rows.uses, size) for row, size in zip(rows.volumes, bytes_of, strict=True)]
    return answer


def _images(rows: Rows, layers: dict[str, int]) -> list[dict[str, Any]]:
    users = Counter(row.image_id for row in rows.containers)
    return [
        {**images_rendering.summary(image), "Containers": users[image.image_id], "SharedSize": shared}
        for image, shared in zip(rows.images, _shared(rows.images, layers), strict=True)
    ]


def _shared(images: list[Image], layers: dict[str, int]) -> list[int]:
    """For each image the bytes of those of its layers that another image has too."""
    uses = Counter(layer for image in images for layer in set(image.layers))
    return [sum(layers.get(layer, 0) for layer in set(image.layers) if uses[layer] > 1) for image in images]


def _volume(row: Volume, uses: Counter[int], size: int) -> dict[str, Any]:
    return {**volumes_rendering.volume(row), "UsageData": {"RefCount": uses[row.pk], "Size": size}}
