"""Images in Docker's shapes: the list's summary, inspect, history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, cast

from django.conf import settings

from controlpanel.objects.models import Image
from controlpanel.rest import versions
from engine import rfc3339
from engine.containers.config import shown
from engine.containers.config.decode import decode
from engine.containers.config.tables import CONFIG
from engine.images import references
from engine.images.configuration import Configuration, HistoryEntry

# Before 1.50 an image's Config was shown as a container's, with all its fields.
CONTAINER_FIELDS = shown(decode({}, CONFIG, "Config"))


def names(image: Image) -> tuple[list[str], list[str]]:
    """RepoTags and RepoDigests in familiar form. Prefetch ``references`` for many images."""
    tags: list[str] = []
    digests: list[str] = []
    for reference in image.references.all():
        (digests if reference.is_digest else tags).append(references.parse(reference.name).familiar)
    return sorted(tags), sorted(digests)


def shared_sizes(images: Iterable[Image], sizes: Mapping[str, int]) -> dict[str, int]:
    """By image ID the bytes of those of its layers that another image has too; ``sizes`` are the layers'."""
    layers = {image.image_id: set(image.layers) for image in images}
    uses = Counter(layer for each in layers.values() for layer in each)
    return {
        image_id: sum(sizes.get(layer, 0) for layer in each if uses[layer] > 1) for image_id, each in layers.items()
    }


def summary(image: Image) -> dict[str, Any]:
    """One entry of ``GET /images/json``."""
    tags, digests = names(image)
    return {
        "Id": image.image_id,
        "ParentId": image.parent_id,
        "RepoTags": tags,
        "RepoDigests": digests,
        "Created": created(image),
        "Size": image.size,
        "SharedSize": -1,
        "Containers": -1,
        "Labels": labels(image),
    }


def for_version(entry: dict[str, Any], version: versions.Version) -> dict[str, Any]:
    """A summary with what older clients expect."""
    if version < (1, 44):
        entry = {**entry, "VirtualSize": entry["Size"]}
    if version < (1, 43):
        entry["RepoTags"] = entry["RepoTags"] or ["<none>:<none>"]
        entry["RepoDigests"] = entry["RepoDigests"] or ["<none>@<none>"]
    return entry


def created(image: Image) -> int:
    """Seconds since 1970; an image may say nothing."""
    return rfc3339.parse(image.created) // rfc3339.NANO if image.created else 0


def inspect(image: Image, version: versions.Version) -> dict[str, Any]:
    """The reply of ``GET /images/{name}/json`` with what the client's version expects."""
    tags, digests = names(image)
    document = _document(image)
    answer: dict[str, Any] = {
        "Id": image.image_id,
        "RepoTags": tags,
        "RepoDigests": digests,
        "Parent": image.parent_id,
        "Comment": _comment(document),
        "Created": image.created,
        "DockerVersion": document.get("docker_version", ""),
        "Author": document.get("author", ""),
        "Config": _inspected_config(image, version),
        "Architecture": document.get("architecture", ""),
        "Os": document.get("os", ""),
        "Size": image.size,
        "GraphDriver": _graph_driver(image),
        "RootFS": {"Type": "layers", "Layers": document["rootfs"]["diff_ids"]},
        "Metadata": {"LastTagTime": rfc3339.render(image.tagged_at) if image.tagged_at else rfc3339.ZERO},
    }
    if document.get("variant"):
        answer["Variant"] = document["variant"]
    if version < (1, 45):
        # Compose v1 reads ContainerConfig.Volumes without looking whether it is there.
        answer |= {
            "Container": document.get("container", ""),
            "ContainerConfig": {"Volumes": None, **document.get("container_config", {})},
        }
    if version < (1, 44):
        answer["VirtualSize"] = image.size
    return answer


def labels(image: Image) -> dict[str, str] | None:
    return _document(image).get("config", {}).get("Labels")


def _document(image: Image) -> Configuration:
    """Checked when the image was let in, so each of its fields has the type that it should have."""
    return cast("Configuration", image.config)


def _inspected_config(image: Image, version: versions.Version) -> dict[str, Any]:
    config = _document(image).get("config", {})
    return {**CONTAINER_FIELDS, **config} if version < (1, 50) else dict(config)


def _comment(document: Configuration) -> str:
    history = document.get("history") or [{}]
    return document.get("comment") or history[-1].get("comment", "")


def _graph_driver(image: Image) -> dict[str, Any]:
    store = settings.MUELLE_LAYOUT.images / "layers"
    layers = [str(store / layer) for layer in reversed(image.layers)]
    data = {"UpperDir": layers[0]} if layers else {}
    return {"Data": data | ({"LowerDir": ":".join(layers[1:])} if layers[1:] else {}), "Name": "overlay2"}


def history(image: Image, sizes: dict[str, int]) -> list[dict[str, Any]]:
    """Newest first; only the newest entry has an ID and tags, as of an image that was loaded, not built here.

    ``sizes`` are bytes by layer; layers belong, in order, to the entries that are not marked empty.
    """
    entries = _document(image).get("history") or [HistoryEntry() for _ in image.layers]
    layers = iter(image.layers)
    answer = []
    for entry in entries:
        layer = None if entry.get("empty_layer") else next(layers, None)
        answer.append(
            {
                "Id": "<missing>",
                "Created": rfc3339.parse(entry["created"]) // rfc3339.NANO if "created" in entry else 0,
                "CreatedBy": entry.get("created_by", ""),
                "Tags": None,
                "Size": sizes.get(layer, 0) if layer else 0,
                "Comment": entry.get("comment", ""),
            }
        )
    answer.reverse()
    if answer:
        answer[0] |= {"Id": image.image_id, "Tags": names(image)[0] or None}
    return answer
