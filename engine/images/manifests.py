"""What an archive says it holds: ``manifest.json`` of docker-archives, ``index.json`` of OCI layouts.

Everything here comes from a stranger: types are checked before use, and a digest counts only when the bytes have it.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.errors import InvalidArgument
from engine.images import references
from engine.images.content import Blob, is_digest

# GOARCH names, which image configurations use.
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}.get(
    platform.machine(), platform.machine()
)
_MAX_LAYERS = 125  # Docker's limit; overlayfs itself stops at 500
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MAX_NESTING = 4
_REFERENCE_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")

Files = Mapping[str, Blob]


class Description(NamedTuple):
    """One image of an archive: files, checked against their digests, and canonical references."""

    config_blob: Blob
    config: dict[str, Any]
    layers: tuple[Blob, ...]
    references: tuple[str, ...]

    @property
    def diff_ids(self) -> tuple[str, ...]:
        return tuple(self.config["rootfs"]["diff_ids"])


def describe(files: Files) -> list[Description]:
    """All images in an archive. manifest.json goes first where both forms are there, because it names the tags."""
    if "manifest.json" in files:
        return [_docker_item(item, files) for item in _items(files["manifest.json"])]
    if "index.json" in files:
        index = _mapping(files["index.json"].json("index.json"), "index.json")
        images = _oci_images(index, files, _MAX_NESTING)
        if images:
            return images
    raise InvalidArgument("archive holds no image: neither manifest.json nor index.json names one")


def _items(manifest: Blob) -> list[dict[str, Any]]:
    items = manifest.json("manifest.json")
    if not isinstance(items, list):
        raise InvalidArgument("invalid manifest.json: not a list of images")
    return [_mapping(item, "manifest.json") for item in items]


def _docker_item(item: dict[str, Any], files: Files) -> Description:
    config_blob = _file(item.get("Config"), files)
    names = _strings(item.get("RepoTags") or [], "RepoTags")
    layers = tuple(_file(name, files) for name in _strings(item.get("Layers") or [], "Layers"))
    return _checked(config_blob, layers, tuple(_tagged(name) for name in names))


def _file(name: object, files: Files) -> Blob:
    if not isinstance(name, str) or name not in files:
        raise InvalidArgument(f"open {name}: no such file or directory")
    blob = files[name]
    # Newer archives name their files by digest, which has to be true then.
    directory, _, stem = name.rpartition("/")
    if directory == "blobs/sha256" and f"sha256:{stem}" not in (blob.received, blob.plain):
        raise InvalidArgument(f"{name} has the digest {blob.received}")
    return blob


def _tagged(name: str) -> str:
    parsed = references.parse(name)
    if parsed.digest or parsed.tag is None:
        raise InvalidArgument(f'invalid tag "{name}"')
    return parsed.canonical


def _oci_images(index: dict[str, Any], files: Files, nesting: int) -> list[Description]:
    """Descriptors with the same digest are one image with several names, as ``docker save`` writes them."""
    found: dict[str, Description] = {}
    for descriptor in _choose(_list(index.get("manifests"), "index.json")):
        manifest = _mapping(_described(descriptor, files).json("manifest"), "manifest")
        if descriptor.get("mediaType") in _INDEXES or "manifests" in manifest:
            if not nesting:
                raise InvalidArgument("invalid index.json: indexes are nested too deeply")
            images = _oci_images(manifest, files, nesting - 1)
        else:
            images = [_oci_image(manifest, files)]
        for image in images:
            known = found.get(image.config_blob.stored, image)
            names = dict.fromkeys((*known.references, *_names(descriptor)))
            found[image.config_blob.stored] = known._replace(references=tuple(names))
    return list(found.values())


def _choose(descriptors: list[Any]) -> list[dict[str, Any]]:
    """Leave out attestations and other machines' images when there is one for this machine."""
    images = [_mapping(each, "index.json") for each in descriptors]
    platforms = [_mapping(each.get("platform") or {}, "platform") for each in images]
    ours = [
        image
        for image, its in zip(images, platforms, strict=True)
        if (its.get("os"), its.get("architecture")) == ("linux", ARCHITECTURE)
    ]
    unnamed = [image for image, its in zip(images, platforms, strict=True) if not its.get("architecture")]
    return (
        ours + unnamed
        if ours or unnamed
        else [image for image, its in zip(images, platforms, strict=True) if its.get("os") != "unknown"]
    )


def _oci_image(manifest: dict[str, Any], files: Files) -> Description:
    config_blob = _described(_mapping(manifest.get("config"), "manifest"), files)
    layers = [_described(_mapping(each, "manifest"), files) for each in _list(manifest.get("layers"), "manifest")]
    return _checked(config_blob, tuple(layers), ())


def _described(descriptor: dict[str, Any], files: Files) -> Blob:
    wanted = descriptor.get("digest")
    if not is_digest(wanted):
        raise InvalidArgument("invalid checksum digest format")
    blob = files.get(f"blobs/{wanted}".replace(":", "/"))
    if blob is None:
        raise InvalidArgument(f"content digest {wanted}: not found")
    if blob.received != wanted:
        raise InvalidArgument(f"content digest {wanted} does not match: it is {blob.received}")
    return blob


def _names(descriptor: dict[str, Any]) -> list[str]:
    """The first annotation that is a whole name. A bare word is only a tag ("latest") and names no image."""
    annotations = _mapping(descriptor.get("annotations") or {}, "annotations")
    for key in _REFERENCE_NAMES:
        value = annotations.get(key)
        if isinstance(value, str) and any(mark in value for mark in ":/"):
            return [_tagged(value)]
    return []


def _checked(config_blob: Blob, layers: tuple[Blob, ...], names: tuple[str, ...]) -> Description:
    config = _mapping(config_blob.json("image JSON"), "image JSON")
    rootfs = config.get("rootfs")
    if not isinstance(rootfs, dict):
        raise InvalidArgument("invalid image JSON, no RootFS key")
    system = config.get("os") or "linux"
    if system != "linux":
        raise InvalidArgument(f"cannot load {system} image on linux")
    diff_ids = _strings(rootfs.get("diff_ids") or [], "diff_ids")
    if len(diff_ids) != len(layers):
        raise InvalidArgument(f"invalid manifest, layers length mismatch: expected {len(layers)}, got {len(diff_ids)}")
    if len(diff_ids) > _MAX_LAYERS:
        raise InvalidArgument("max depth exceeded")
    for number, (diff_id, blob) in enumerate(zip(diff_ids, layers, strict=True)):
        if diff_id != blob.plain:
            raise InvalidArgument(f'invalid diffID for layer {number}: expected "{diff_id}", got "{blob.plain}"')
    rootfs["diff_ids"] = diff_ids
    return Description(config_blob, config, layers, names)


def _mapping(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidArgument(f"invalid {what}: not an object")
    return value


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidArgument(f"invalid {what}: not a list")
    return value


def _strings(value: object, what: str) -> list[str]:
    items = _list(value, what)
    if not all(isinstance(item, str) for item in items):
        raise InvalidArgument(f"invalid {what}: not a list of strings")
    return items
