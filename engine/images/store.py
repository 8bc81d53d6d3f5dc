"""The image store of one node.

    content/sha256/<hex>   configurations and layer tars, compressed where they came so
    layers/<chain>         unpacked layers, lower directories of overlays
    records/<hex>          one JSON file for each image, named by its ID: what makes an image exist
    tmp/                   images on their way in, trees on their way out

Everything reaches its place by rename(2), the record last; so a crash at any moment leaves whole images and files
nobody refers to, which the next opening and the next ``gc`` remove.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from engine import rfc3339
from engine.archives.limits import DEFAULT, Budget, Limits
from engine.errors import InvalidArgument, NotFound
from engine.images import configuration, layers, saving
from engine.images.archives import open_archive
from engine.images.configuration import Configuration
from engine.images.content import Blob, ContentStore, is_digest, receive
from engine.images.manifests import Description
from engine.images.platforms import HOST, Platform
from engine.images.progress import Progress
from engine.images.staging import locked, staging, sweep
from engine.kernel import inodes, libc


class LoadedImage(NamedTuple):
    """``references`` are canonical names; ``layers`` and ``layer_sizes`` go from the lowest layer up.

    ``size`` is the sum of the unpacked files' bytes, ``content_size`` that of the stored tars.
    """

    image_id: str
    references: tuple[str, ...]
    config: Configuration
    layers: tuple[str, ...]
    layer_sizes: tuple[int, ...]
    size: int
    content_size: int


class SavedImage(NamedTuple):
    """What to save: an image and the names it gets in the archive."""

    image_id: str
    references: tuple[str, ...] = ()


class ImageStore:
    """All images below ``root``. Any number of processes may use one store at once."""

    def __init__(self, root: Path, limits: Limits = DEFAULT) -> None:
        """Open, making the directories when missing and removing what a killed process left half-made."""
        self._root, self._limits = root, limits
        self._content = ContentStore(root / "content")
        self._layers, self._records, self._area = root / "layers", root / "records", root / "tmp"
        root.mkdir(mode=0o710, parents=True, exist_ok=True)
        self._content.prepare()
        for directory in (self._layers, self._records, self._area):
            directory.mkdir(mode=0o700, exist_ok=True)
        inodes.spread(self._area)
        sweep(self._area)

    # Adding

    def load(self, stream: BinaryIO, progress: Progress, platform: Platform | None = None) -> list[LoadedImage]:
        """Add the images of an archive: ``docker save`` of any version, skopeo's forms, OCI layouts, all perhaps
        compressed; with ``platform`` only those for it.

        InvalidArgument for a bad archive, NotFound when no image is for the platform, SystemFailure when the disk is
        full; then nothing is added.
        """
        with staging(self._area) as directory:
            described = open_archive(stream, directory, Budget(directory, self._limits), platform)
            return self._add(described, directory, progress)

    def import_(
        self,
        stream: BinaryIO,
        config: dict[str, Any],
        progress: Progress,
        comment: str = "Imported from -",
        platform: Platform = HOST,
    ) -> LoadedImage:
        """Add a root file system, a perhaps compressed tar, as an image of one layer; ``config`` is Docker's Config."""
        if platform.normalised.os != "linux":
            raise InvalidArgument("operating system is not supported")
        with staging(self._area) as directory:
            budget = Budget(directory, self._limits)
            layer = receive(stream, directory / "layer", budget)
            raw = orjson.dumps(_imported(layer, config, comment, platform))
            described = Description(Blob.of(directory / "config", raw), configuration.parse(raw), (layer,), ())
            return self._add([described], directory, progress)[0]

    def _add(self, described: list[Description], directory: Path, progress: Progress) -> list[LoadedImage]:
        """Unpack without the lock, move into place under it."""
        sizes = self._unpack_missing(described, directory, self.layer_sizes(), progress)
        _sync(directory)
        with locked(self._root):
            known = self.layer_sizes()
            # Between the two steps another process may have removed a layer that was there.
            sizes |= self._unpack_missing(described, directory, known, progress)
            for chain in sizes.keys() - known.keys():
                self._place(chain, directory)
            images = []
            for each in described:
                for blob in (*each.layers, each.config_blob):
                    self._content.adopt(blob)
                images.append(self._loaded(each, sizes | known))
                self._write_record(images[-1], each, directory)
        return images

    def _unpack_missing(
        self, described: list[Description], directory: Path, known: dict[str, int], progress: Progress
    ) -> dict[str, int]:
        """Unpack each layer that is neither ``known`` nor in ``directory`` already; returns their sizes by chain."""
        sizes = {}
        for each in described:
            for chain, blob in zip(layers.chain_ids(each.diff_ids), each.layers, strict=True):
                if chain not in known and not (directory / chain).exists():
                    sizes[chain] = layers.unpack(blob, directory / chain, self._limits, progress)
        return sizes

    def _place(self, chain: str, directory: Path) -> None:
        """Move an unpacked layer into the store. One that is there without any record is left of a crash: it goes."""
        if (self._layers / chain).exists():
            (self._layers / chain).rename(directory / f"{chain}-abandoned")
        (directory / chain).rename(self._layers / chain)

    def _write_record(self, image: LoadedImage, described: Description, directory: Path) -> None:
        """The step that makes the image exist."""
        record = {
            "blobs": [blob.stored for blob in described.layers],
            "chain_ids": image.layers,
            "sizes": image.layer_sizes,
            "content_size": image.content_size,
        }
        temporary = directory / "record"
        with temporary.open("wb") as file:
            file.write(orjson.dumps(record))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._record(image.image_id))
        _sync(self._records)

    # Reading

    def image_ids(self) -> list[str]:
        return sorted(f"sha256:{path.name}" for path in self._records.iterdir())

    def holds(self, image_id: str) -> bool:
        """Whether the image is there; waits for a removal under way."""
        with locked(self._root):
            return self._record(image_id).exists()

    def image(self, image_id: str) -> LoadedImage:
        """An image of the store, without references; NotFound."""
        record = self._read_record(image_id)
        sizes = tuple(record["sizes"])
        return LoadedImage(
            image_id, (), self.config(image_id), tuple(record["chain_ids"]), sizes, sum(sizes), record["content_size"]
        )

    def config(self, image_id: str) -> Configuration:
        """The image's configuration; NotFound. Of one that an earlier version let in unchecked, what is right in it."""
        self._read_record(image_id)
        return configuration.salvage(orjson.loads(self._content.path(image_id).read_bytes()))

    def layer_dirs(self, image_id: str) -> list[str]:
        """Lower directories for an overlay, top layer first; NotFound. An image without layers has none."""
        return [str(self._layers / chain) for chain in reversed(self._read_record(image_id)["chain_ids"])]

    def save(self, images: list[SavedImage], out: BinaryIO) -> None:
        """Write a docker-archive that is an OCI layout too, as ``docker save`` 25+ does; NotFound comes first."""
        saved = [
            saving.Image(each.image_id, self._read_record(each.image_id)["blobs"], each.references) for each in images
        ]
        saving.write(saved, self._content, out)

    def layer_sizes(self) -> dict[str, int]:
        """Bytes of each unpacked layer by its directory's name; a layer that images share counts once."""
        records = [self._read_record(image_id) for image_id in self.image_ids()]
        return {chain: size for each in records for chain, size in zip(each["chain_ids"], each["sizes"], strict=True)}

    # Removing

    def delete(self, image_id: str, unless: Callable[[], bool] = lambda: False) -> None:
        """Remove an image and all that only it used; a missing image is fine. No container may use it any more.

        ``unless`` is asked when nobody can add the image any more: whether somebody needs it after all.
        """
        with staging(self._area) as trash, locked(self._root):
            if unless():
                return
            self._record(image_id).unlink(missing_ok=True)
            self._collect(trash)

    def gc(self, keep: Collection[str] | None = None) -> None:
        """Remove what no image refers to and, with ``keep``, every image whose ID is not in it."""
        with staging(self._area) as trash, locked(self._root):
            for image_id in self.image_ids():
                if keep is not None and image_id not in keep:
                    self._record(image_id).unlink()
            self._collect(trash)

    def _collect(self, trash: Path) -> None:
        """Move unreferenced files out of the way; leaving the staging directory removes them, without the lock."""
        records = [(image_id, self._read_record(image_id)) for image_id in self.image_ids()]
        chains = {chain for _, record in records for chain in record["chain_ids"]}
        content = {each for image_id, record in records for each in (image_id, *record["blobs"])}
        for chain in {path.name for path in self._layers.iterdir()} - chains:
            (self._layers / chain).rename(trash / chain)
        for unused in self._content.digests() - content:
            self._content.path(unused).unlink()

    # Records

    def _loaded(self, described: Description, sizes: dict[str, int]) -> LoadedImage:
        chains = layers.chain_ids(described.diff_ids)
        layer_sizes = tuple(sizes[chain] for chain in chains)
        content_size = sum(self._content.path(blob.stored).stat().st_size for blob in described.layers)
        return LoadedImage(
            described.config_blob.stored,
            described.references,
            described.config,
            chains,
            layer_sizes,
            sum(layer_sizes),
            content_size,
        )

    def _record(self, image_id: str) -> Path:
        if not is_digest(image_id):
            raise NotFound(f"No such image: {image_id}")
        return self._records / image_id.removeprefix("sha256:")

    def _read_record(self, image_id: str) -> dict[str, Any]:
        try:
            record: dict[str, Any] = orjson.loads(self._record(image_id).read_bytes())
        except FileNotFoundError:
            raise NotFound(f"No such image: {image_id}") from None
        return record


def _sync(directory: Path) -> None:
    """One syncfs(2) instead of an fsync(2) for each of ten thousand files."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        libc.syncfs(fd)
    finally:
        os.close(fd)


def _imported(layer: Blob, config: dict[str, Any], comment: str, platform: Platform) -> dict[str, Any]:
    created = rfc3339.now()
    variant = {"variant": platform.variant} if platform.variant else {}
    return {
        "architecture": platform.architecture,
        **variant,
        "comment": comment,
        "config": config,
        "created": created,
        "history": [{"created": created, "comment": comment}],
        "os": platform.os,
        "rootfs": {"type": "layers", "diff_ids": [layer.plain]},
    }
