"""What an archive says it holds: ``manifest.json`` of docker-archives, ``index.json`` of OCI layouts.

Everything here comes from a stranger: types are checked before use, and a digest counts only when the bytes have it.
A blob is read once, however many entries name it, so a small archive cannot ask for much work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Required, TypedDict, cast

from engine.archives.paths import clean
from engine.errors import InvalidArgument, NotFound
from engine.images import configuration, documents, platforms, references
from engine.images.configuration import Configuration
from engine.images.content import Blob, is_digest
from engine.images.documents import Read, listed, mapping, record, text, text_or_empty, texts
from engine.images.platforms import HOST, Platform

_MAX_LAYERS = 125  # Docker's limit; overlayfs itself stops at 500
_MAX_IMAGES = 10_000
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MAX_NESTING = 4
_REFERENCE_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_TEXT = 4096
_MANY = 10_000

_ITEMS = listed(
    record({"Config": text(_TEXT), "RepoTags": texts(_TEXT, _MANY), "Layers": texts(_TEXT, _MANY)}), _MAX_IMAGES
)
_DESCRIPTOR = record(
    {
        "mediaType": text(_TEXT),
        "digest": text(_TEXT),
        "platform": record({"os": text(_TEXT), "architecture": text(_TEXT), "variant": text(_TEXT)}),
        "annotations": mapping(text(_TEXT), text_or_empty(1 << 20), _MANY),
    }
)
_INDEX = record({"manifests": listed(_DESCRIPTOR, _MAX_IMAGES)}, required="manifests")
_MANIFEST = record({"config": _DESCRIPTOR, "layers": listed(_DESCRIPTOR, _MANY)}, required="config")

Files = Mapping[str, Blob]


class _Descriptor(TypedDict, total=False):
    mediaType: str
    digest: str
    platform: dict[str, str]
    annotations: dict[str, str]


class _Manifest(TypedDict, total=False):
    config: Required[_Descriptor]
    layers: list[_Descriptor]


class Description(NamedTuple):
    """One image of an archive: files, checked against their digests, and canonical references."""

    config_blob: Blob
    config: Configuration
    layers: tuple[Blob, ...]
    references: tuple[str, ...]

    @property
    def diff_ids(self) -> tuple[str, ...]:
        return tuple(self.config["rootfs"]["diff_ids"])


def describe(files: Files, wanted: Platform | None = None) -> list[Description]:
    """All images in an archive; with ``wanted`` those for one platform, NotFound when there is none.

    manifest.json goes first where both forms are there, because it names the tags.
    """
    found = _Found(files)
    if "manifest.json" in files:
        _add_docker_items(files, found)
    elif "index.json" in files:
        _Layout(files, wanted).add_to(found)
    if not found.images and "manifest.json" not in files:
        raise InvalidArgument("archive holds no image: neither manifest.json nor index.json names one")
    images = [each for each in found.described() if wanted is None or wanted.matches(each.config)]
    if wanted and not images:
        raise NotFound(f"archive holds no image for the platform {wanted}")
    return images


class _Found:
    """The images of an archive, each once with all its names."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.images: dict[str, Description] = {}
        self._names: dict[str, dict[str, None]] = {}

    def add(self, config_blob: Blob, layers: tuple[Blob, ...], names: Iterable[str]) -> None:
        image_id = config_blob.stored
        known = self.images.get(image_id)
        if known is None or known.layers != layers:
            config = known.config if known else configuration.parse(config_blob.content("image JSON"))
            _check(config, layers)
            self.images[image_id] = Description(config_blob, config, layers, ())
        self._names.setdefault(image_id, {}).update(dict.fromkeys(names))

    def described(self) -> Iterator[Description]:
        for image_id, image in self.images.items():
            yield image._replace(references=tuple(self._names[image_id]))


def _read(blob: Blob, read: Read, what: str) -> Any:
    return documents.decode(documents.parse(blob.content(what), what), read, what)


def _add_docker_items(files: Files, found: _Found) -> None:
    for item in _read(files["manifest.json"], _ITEMS, "manifest.json"):
        names = [references.parse_tag(name).canonical for name in item.get("RepoTags", ())]
        layers = tuple(_file(name, files) for name in item.get("Layers", ()))
        found.add(_file(item.get("Config", ""), files), layers, names)


def _file(name: str, files: Files) -> Blob:
    blob = files.get(clean(name))
    if blob is None:
        raise InvalidArgument(f"open {name}: no such file or directory")
    # Newer archives name their files by digest, which has to be true then.
    directory, _, stem = name.rpartition("/")
    if directory == "blobs/sha256" and f"sha256:{stem}" not in (blob.received, blob.plain):
        raise InvalidArgument(f"{name} has the digest {blob.received}")
    return blob


class _Layout:
    """An OCI image layout. Each of its documents is read once, however many descriptors name it."""

    def __init__(self, files: Files, wanted: Platform | None) -> None:
        self._files, self._wanted = files, wanted
        self._documents: dict[str, list[_Descriptor] | _Manifest] = {}
        self._visits = 0

    def add_to(self, found: _Found) -> None:
        index = _read(self._files["index.json"], _INDEX, "index.json")
        for manifest, names in self._walk(self._choose(index["manifests"]), _MAX_NESTING):
            layers = tuple(self._described(each) for each in manifest.get("layers", ()))
            found.add(self._described(manifest["config"]), layers, names)

    def _walk(self, descriptors: list[_Descriptor], nesting: int) -> Iterator[tuple[_Manifest, list[str]]]:
        """Manifests with their names: ``docker save`` writes a descriptor for each name of an image."""
        for descriptor in descriptors:
            self._visits += 1
            if self._visits > _MAX_IMAGES:
                raise InvalidArgument(f"archive names more than {_MAX_IMAGES} images")
            names, document = _names(descriptor), self._document(descriptor)
            if not isinstance(document, list):
                yield document, names
                continue
            if not nesting:
                raise InvalidArgument("invalid index.json: indexes are nested too deeply")
            for manifest, others in self._walk(document, nesting - 1):
                yield manifest, [*others, *names]

    def _document(self, descriptor: _Descriptor) -> list[_Descriptor] | _Manifest:
        """A manifest, or the descriptors of an index that count here."""
        blob = self._described(descriptor)
        document = self._documents.get(blob.received)
        if document is None:
            value = documents.parse(blob.content("manifest"), "manifest")
            if descriptor.get("mediaType") in _INDEXES or (isinstance(value, dict) and "manifests" in value):
                document = self._choose(documents.decode(value, _INDEX, "index")["manifests"])
            else:
                document = cast("_Manifest", documents.decode(value, _MANIFEST, "manifest"))
            self._documents[blob.received] = document
        return document

    def _described(self, descriptor: _Descriptor) -> Blob:
        wanted = descriptor.get("digest")
        if not is_digest(wanted):
            raise InvalidArgument("invalid checksum digest format")
        blob = self._files.get(f"blobs/{wanted}".replace(":", "/"))
        if blob is None:
            raise InvalidArgument(f"content digest {wanted}: not found")
        if blob.received != wanted:
            raise InvalidArgument(f"content digest {wanted} does not match: it is {blob.received}")
        return blob

    def _choose(self, descriptors: list[_Descriptor]) -> list[_Descriptor]:
        """Leave out attestations and other machines' images when there is one for this machine."""
        named = [(each, each.get("platform", {})) for each in descriptors]
        unnamed = [each for each, its in named if not its.get("architecture")]
        ours = [each for each, its in named if its.get("architecture") and self._is_ours(platforms.of(its))]
        return ours + unnamed or [each for each, its in named if its.get("os") != "unknown"]

    def _is_ours(self, platform: Platform) -> bool:
        if self._wanted:
            return self._wanted.matches(platform._asdict())
        return platform.normalised[:2] == HOST[:2]


def _names(descriptor: _Descriptor) -> list[str]:
    """The first annotation that is a whole name. A bare word is only a tag ("latest") and names no image."""
    annotations = descriptor.get("annotations", {})
    for key in _REFERENCE_NAMES:
        value = annotations.get(key, "")
        if any(mark in value for mark in ":/"):
            return [references.parse_tag(value).canonical]
    return []


def _check(config: Configuration, layers: tuple[Blob, ...]) -> None:
    """The configuration and the layers belong together, and are for this engine."""
    system = config.get("os") or "linux"
    if system != "linux":
        raise InvalidArgument(f"cannot load {system} image on linux")
    diff_ids = config["rootfs"]["diff_ids"]
    if len(diff_ids) != len(layers):
        raise InvalidArgument(f"invalid manifest, layers length mismatch: expected {len(layers)}, got {len(diff_ids)}")
    if len(diff_ids) > _MAX_LAYERS:
        raise InvalidArgument("max depth exceeded")
    for number, (diff_id, blob) in enumerate(zip(diff_ids, layers, strict=True)):
        if diff_id != blob.plain:
            raise InvalidArgument(f'invalid diffID for layer {number}: expected "{diff_id}", got "{blob.plain}"')
