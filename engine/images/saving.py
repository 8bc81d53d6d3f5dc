"""Write images as ``docker save`` 25+ does: an OCI layout with Docker's manifest.json beside it.

Dates and order depend on the images alone, so saving the same images twice gives the same bytes.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterable
from typing import Any, BinaryIO, NamedTuple

import orjson

from engine.images import references
from engine.images.content import ContentStore, digest

_OCI = "application/vnd.oci.image."
_BLOBS = "blobs/sha256"
_END = bytes(1024)
_COPY = 1 << 20


class Image(NamedTuple):
    """An image to save; ``layers`` are the digests of its stored tars from the lowest up."""

    image_id: str
    layers: Iterable[str]
    names: tuple[str, ...]


def write(images: list[Image], content: ContentStore, out: BinaryIO) -> None:
    """Write the archive; each blob goes in once, however many images share it."""
    manifests = [_oci_manifest(image, content) for image in images]
    stored = dict.fromkeys(each for image in images for each in (*image.layers, image.image_id))
    for directory in ("blobs", _BLOBS):
        _directory(out, directory)
    for each in stored:
        _copy(out, content, each)
    for raw in dict.fromkeys(manifests):
        _file(out, _path(digest(raw)), raw)
    _file(out, "index.json", _index(images, manifests))
    _file(out, "manifest.json", orjson.dumps([_docker_item(image) for image in images]))
    _file(out, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    if any(image.names for image in images):
        _file(out, "repositories", _repositories(images))
    out.write(_END)
    out.flush()


def _path(blob: str) -> str:
    return f"{_BLOBS}/{blob.removeprefix('sha256:')}"


def _descriptor(kind: str, blob: str, size: int) -> dict[str, Any]:
    return {"mediaType": f"{_OCI}{kind}", "digest": blob, "size": size}


def _oci_manifest(image: Image, content: ContentStore) -> bytes:
    def described(kind: str, blob: str) -> dict[str, Any]:
        return _descriptor(kind, blob, content.path(blob).stat().st_size)

    return orjson.dumps({
        "schemaVersion": 2,
        "mediaType": f"{_OCI}manifest.v1+json",
        "config": described("config.v1+json", image.image_id),
        "layers": [described(content.layer_type(each), each) for each in image.layers],
    })  # fmt: skip


def _index(images: list[Image], manifests: list[bytes]) -> bytes:
    """One descriptor for each name, as Docker has it."""
    descriptors = []
    for image, raw in zip(images, manifests, strict=True):
        descriptor = _descriptor("manifest.v1+json", digest(raw), len(raw))
        for name in image.names:
            parsed = references.parse(name)
            annotations = {
                "io.containerd.image.name": parsed.canonical,
                "org.opencontainers.image.ref.name": parsed.tag,
            }
            descriptors.append({**descriptor, "annotations": annotations})
        if not image.names:
            descriptors.append(descriptor)
    return orjson.dumps({"schemaVersion": 2, "mediaType": f"{_OCI}index.v1+json", "manifests": descriptors})


def _docker_item(image: Image) -> dict[str, Any]:
    names = [references.parse(name).familiar for name in image.names]
    layers = [_path(each) for each in image.layers]
    return {"Config": _path(image.image_id), "RepoTags": names or None, "Layers": layers}


def _repositories(images: list[Image]) -> bytes:
    """The oldest form of an image's name, still read by some: repository, tag, topmost layer."""
    repositories: dict[str, dict[str, str]] = {}
    for image in images:
        *_, top = ("", *image.layers)
        for name in image.names:
            parsed = references.parse(name)
            repositories.setdefault(parsed.familiar_name, {})[parsed.tag or ""] = top.removeprefix("sha256:")
    return orjson.dumps(repositories)


def _header(name: str, size: int, kind: bytes = tarfile.REGTYPE, mode: int = 0o644) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.mode = size, kind, mode
    return info.tobuf(tarfile.PAX_FORMAT)


def _directory(out: BinaryIO, name: str) -> None:
    out.write(_header(name, 0, tarfile.DIRTYPE, 0o755))


def _file(out: BinaryIO, name: str, data: bytes) -> None:
    out.write(_header(name, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE))


def _copy(out: BinaryIO, content: ContentStore, blob: str) -> None:
    with content.path(blob).open("rb") as source:
        size = os.fstat(source.fileno()).st_size
        out.write(_header(_path(blob), size))
        shutil.copyfileobj(source, out, _COPY)
    out.write(bytes(-size % tarfile.BLOCKSIZE))
