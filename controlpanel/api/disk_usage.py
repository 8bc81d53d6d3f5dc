"""``docker system df``: sizes of layers, images, containers and volumes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from controlpanel.access.scope import Scope
from controlpanel.api import images_rendering, listing, volumes_rendering
from controlpanel.contracts import containers, images, volumes
from controlpanel.objects.models import Volume
from controlpanel.rest import versions
from controlpanel.rest.views import in_thread


async def collect(scope: Scope, kinds: frozenset[str], version: versions.Version) -> dict[str, Any]:
    """The reply of ``GET /system/df`` with the asked-for kinds filled in, the others empty."""
    answer: dict[str, Any] = {"LayersSize": 0, "Images": [], "Containers": [], "Volumes": [], "BuildCache": []}
    if "image" in kinds:
        layers = await images.layer_sizes(scope)
        answer["LayersSize"] = sum(layers.values())
        answer["Images"] = await in_thread(_images)(scope, layers, version)
    if "container" in kinds:
        answer["Containers"] = await _containers(scope)
    if "volume" in kinds:
        answer["Volumes"] = await _volumes(scope)
    return answer


def _images(scope: Scope, layers: dict[str, int], version: versions.Version) -> list[dict[str, Any]]:
    found = list(scope.images().prefetch_related("references"))
    users = Counter(scope.containers().values_list("image_id", flat=True))
    shared = images_rendering.shared_sizes(found, layers)
    entries = [
        {**images_rendering.summary(image), "Containers": users[image.image_id], "SharedSize": shared[image.image_id]}
        for image in found
    ]
    return [images_rendering.for_version(entry, version) for entry in entries]


async def _containers(scope: Scope) -> list[dict[str, Any]]:
    rows = await in_thread(listing.rows)(scope, everything=True)
    if not rows:
        return []
    sizes = await containers.sizes(scope, [row.id for row in rows])
    return await in_thread(listing.render)(scope, rows, sizes)


async def _volumes(scope: Scope) -> list[dict[str, Any]]:
    rows, uses = await in_thread(_used_volumes)(scope)
    if not rows:
        return []
    sizes = await volumes.usage(scope, [row.pk for row in rows])
    return [
        {**volumes_rendering.volume(row), "UsageData": {"RefCount": uses[row.pk], "Size": size}}
        for row, size in zip(rows, sizes, strict=True)
    ]


def _used_volumes(scope: Scope) -> tuple[list[Volume], Counter[int]]:
    """The volumes, and by row key how many containers use each."""
    uses = Counter(scope.volume_uses().values_list("volume_id", flat=True))
    return list(scope.volumes().order_by("name")), uses
