"""``docker system df``: sizes of layers, images, containers and volumes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from controlpanel.api import images_rendering, listing, versions, volumes_rendering
from controlpanel.objects.models import Image, Volume, VolumeUse
from controlpanel.rpc import calls


def collect(node: str, kinds: frozenset[str], version: versions.Version) -> dict[str, Any]:
    """The reply of ``GET /system/df`` with the asked-for kinds filled in, the others empty."""
    answer: dict[str, Any] = {"LayersSize": 0, "Images": [], "Containers": [], "Volumes": [], "BuildCache": []}
    rows = listing.rows(node, everything=True)
    if "image" in kinds:
        images = list(Image.objects.filter(node_id=node).prefetch_related("references"))
        layers: dict[str, int] = calls.call_sync("system.df_sizes")
        answer["LayersSize"] = sum(layers.values())
        users = Counter(row.image_id for row in rows)
        answer["Images"] = [
            images_rendering.for_version(
                {**images_rendering.summary(image), "Containers": users[image.image_id], "SharedSize": shared}, version
            )
            for image, shared in zip(images, _shared(images, layers), strict=True)
        ]
    if "container" in kinds:
        sizes = calls.call_sync("containers.sizes", ids=[row.id for row in rows]) if rows else {}
        answer["Containers"] = listing.render(node, rows, sizes)
    if "volume" in kinds:
        answer["Volumes"] = _volumes(node)
    return answer


def _shared(images: list[Image], layers: dict[str, int]) -> list[int]:
    """For each image the bytes of those of its layers that another image has too."""
    uses = Counter(layer for image in images for layer in set(image.layers))
    return [sum(layers.get(layer, 0) for layer in set(image.layers) if uses[layer] > 1) for image in images]


def _volumes(node: str) -> list[dict[str, Any]]:
    volumes = list(Volume.objects.filter(node_id=node).order_by("name"))
    sizes: dict[str, int] = {}
    if volumes:
        sizes = calls.call_sync("volumes.usage", names=[volume.name for volume in volumes])
    uses = Counter(VolumeUse.objects.filter(volume__node_id=node).values_list("volume__name", flat=True))
    return [
        {
            **volumes_rendering.volume(each),
            "UsageData": {"RefCount": uses[each.name], "Size": sizes.get(each.name, -1)},
        }
        for each in volumes
    ]
