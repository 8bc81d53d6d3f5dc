"""Mounts of a container: Binds texts, the Mounts list, Tmpfs, VolumesFrom and image volumes, as one list of requests.

Pure: whether a bind's source exists, and which directory a volume has, is for the worker that carries the requests out.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from engine.containers.config.decode import read_object
from engine.containers.config.objects import (
    BindOptions,
    Config,
    HostConfig,
    MountConfig,
    TmpfsOptions,
    VolumeOptions,
)
from engine.containers.config.tables import BIND_OPTIONS, TMPFS_OPTIONS, VOLUME_OPTIONS
from engine.errors import InvalidArgument, NotFound, Unsupported

PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
CONSISTENCIES = frozenset({"default", "consistent", "cached", "delegated"})
WORDS = (
    frozenset({"rw", "ro"}), frozenset({"z", "Z"}), PROPAGATIONS, frozenset({"nocopy", "copy"}), CONSISTENCIES,
)  # fmt: skip
TMPFS_FLAGS = frozenset({"rw", "ro", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "defaults"})
TMPFS_VALUE = re.compile(r"(size|mode|uid|gid|nr_inodes|nr_blocks|mpol|huge)=.+")
NO_BIND_OPTIONS: BindOptions = read_object(BIND_OPTIONS, "BindOptions")({}, "")
NO_VOLUME_OPTIONS: VolumeOptions = read_object(VOLUME_OPTIONS, "VolumeOptions")({}, "")
NO_TMPFS_OPTIONS: TmpfsOptions = read_object(TMPFS_OPTIONS, "TmpfsOptions")({}, "")
VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}")


class MountRequest(NamedTuple):
    """One mount that a container asks for.

    ``type`` is ``bind``, ``volume`` or ``tmpfs``; ``source`` a host path, a volume's name, or "" (anonymous).
    ``mode`` is the text that inspect shows. ``create_source`` makes a missing bind source (Binds do, Mounts do not).
    ``options`` are tmpfs options (``size=…,mode=…``). ``listed`` is false for what inspect leaves out of Mounts.
    ``read_only_recursive``: whether what is mounted below the source is read-only, too.
    """

    type: str
    source: str
    target: str
    read_only: bool = False
    propagation: str = ""
    mode: str = ""
    copy: bool = True
    create_source: bool = False
    recursive: bool = True
    read_only_recursive: bool = True
    options: str = ""
    listed: bool = True
    labels: dict[str, str] | None = None
    driver: str = "local"
    driver_options: dict[str, str] | None = None


class Mount(NamedTuple):
    """A mount of a container, from its creation on: what is stored, what inspect shows, what a start carries out.

    ``type`` is ``bind``, ``volume`` or ``tmpfs``. ``source`` is a path of the host, empty for tmpfs, to which
    ``options`` belong; ``name`` and ``driver`` are a volume's. ``mode`` is the text that inspect shows, ``listed``
    false for what it leaves out. ``read_only_recursive`` says whether ``read_only`` holds for what is mounted below the
    source, too.
    """

    type: str
    source: str
    target: str
    read_only: bool = False
    propagation: str = ""
    options: str = ""
    name: str = ""
    recursive: bool = True
    mode: str = ""
    listed: bool = True
    driver: str = "local"
    read_only_recursive: bool = True

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Mount:
        """From a stored object; one of another version may have more keys, or fewer."""
        return cls(**{key: value[key] for key in cls._fields if key in value})

    def to_json(self) -> dict[str, Any]:
        return self._asdict()


class VolumesFrom(NamedTuple):
    """Take over the volumes and binds of another container."""

    container: str
    read_only: bool


def requests(config: Config, host: HostConfig) -> list[MountRequest]:
    """Everything mounted besides VolumesFrom, duplicates refused; image volumes only where nothing else is mounted."""
    explicit = explicit_requests(host)
    return explicit + image_volumes(config, host, {request.target for request in explicit})


def explicit_requests(host: HostConfig) -> list[MountRequest]:
    """What the user named: Binds, Mounts, Tmpfs."""
    driver = host["VolumeDriver"] or "local"
    explicit = [
        *(_bind_text(text, driver) for text in host["Binds"] or []),
        *(_mount_object(mount) for mount in host["Mounts"] or []),
        *(_tmpfs(target, options) for target, options in (host["Tmpfs"] or {}).items()),
    ]
    taken: set[str] = set()
    for request in explicit:
        if request.target in taken:
            raise InvalidArgument(f"Duplicate mount point: {request.target}")
        taken.add(request.target)
    return explicit


def image_volumes(config: Config, host: HostConfig, taken: Collection[str]) -> list[MountRequest]:
    """An anonymous volume for each of Config's Volumes whose target is not ``taken``."""
    driver = host["VolumeDriver"] or "local"
    targets = [_target(volume) for volume in sorted(config["Volumes"] or {})]
    return [_volume(MountRequest("volume", "", target, driver=driver)) for target in targets if target not in taken]


def volumes_from(host: HostConfig) -> list[VolumesFrom]:
    """``web:ro`` → VolumesFrom("web", True)."""
    answer = []
    for text in host["VolumesFrom"] or []:
        name, _, mode = text.partition(":")
        if not name:
            raise InvalidArgument(f"invalid volumes-from specification: '{text}'")
        if not _valid_mode(mode) or any(word in PROPAGATIONS | {"nocopy", "copy"} for word in mode.split(",")):
            raise InvalidArgument(f"invalid mode: {mode}")
        answer.append(VolumesFrom(name, "ro" in mode.split(",")))
    return answer


def check_volume_name(name: str) -> None:
    """InvalidArgument with Docker's text for a name that no volume can have."""
    if len(name) == 1:
        raise InvalidArgument("volume name is too short, names should be at least two alphanumeric characters")
    if not VOLUME_NAME.fullmatch(name):
        raise InvalidArgument(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )


def _valid_mode(mode: str) -> bool:
    """At most one word of each kind."""
    left = list(WORDS)
    for word in mode.split(",") if mode else []:
        kind = next((kind for kind in left if word in kind), None)
        if kind is None:
            return False
        left.remove(kind)
    return True


def _bind_text(text: str, driver: str) -> MountRequest:
    """``[source:]target[:mode]``."""
    parts = text.split(":")
    if len(parts) > 3 or not parts[0] or (len(parts) == 2 and parts[1] and _valid_mode(parts[1])):
        raise InvalidArgument(f"invalid volume specification: '{text}'")
    source, target, mode = {1: ("", *parts, ""), 2: (*parts, ""), 3: tuple(parts)}[len(parts)]
    if not _valid_mode(mode):
        raise InvalidArgument(f"invalid mode: {mode}")
    words = mode.split(",")
    propagation = next((word for word in words if word in PROPAGATIONS), "")
    try:
        target = _target(target)
    except InvalidArgument as error:
        raise InvalidArgument(f"invalid volume specification: '{text}': {error}") from None
    if source.startswith("/"):
        if "nocopy" in words or "copy" in words:
            raise InvalidArgument(f"invalid mode: {mode}")
        host_path = posixpath.normpath("/" + source.lstrip("/"))
        return MountRequest(
            "bind", host_path, target, "ro" in words, propagation or "rprivate", mode, create_source=True
        )
    if propagation:
        raise InvalidArgument(f"invalid volume specification: '{text}'")
    return _volume(
        MountRequest(
            "volume", source, target, "ro" in words, mode=mode or "z", copy="nocopy" not in words, driver=driver
        )
    )


def _target(path: str) -> str:
    if not path:
        raise InvalidArgument("invalid mount config: field Target must not be empty")
    if not path.startswith("/"):
        raise InvalidArgument(f"invalid mount path: '{path}' mount path must be absolute")
    clean = posixpath.normpath("/" + path.lstrip("/"))
    if clean == "/":
        raise InvalidArgument("invalid specification: destination can't be '/'")
    return clean


def _volume(request: MountRequest) -> MountRequest:
    if request.source:
        check_volume_name(request.source)
    if request.driver != "local":
        name = request.source or "volume"
        raise NotFound(
            f'create {name}: error looking up volume plugin {request.driver}: plugin "{request.driver}" not found'
        )
    return request


OPTIONS_OF = {"bind": "BindOptions", "volume": "VolumeOptions", "tmpfs": "TmpfsOptions", "image": "ImageOptions"}


def _mount_object(mount: MountConfig) -> MountRequest:
    kind = mount["Type"]
    if kind not in OPTIONS_OF:
        raise InvalidArgument(f'invalid mount config for type "{kind}": mount type unknown')
    if kind == "image":
        raise Unsupported("muelle does not mount images yet")
    try:
        for other, field in OPTIONS_OF.items():
            if other != kind and mount[field] is not None:  # type: ignore[literal-required]
                raise InvalidArgument(f'{field} must not be specified on mount type "{kind}"')
        target = _target(mount["Target"])
        return {"bind": _bind_object, "volume": _volume_object, "tmpfs": _tmpfs_object}[kind](mount, target)
    except InvalidArgument as error:
        raise InvalidArgument(f'invalid mount config for type "{kind}": {error}') from None


def _bind_object(mount: MountConfig, target: str) -> MountRequest:
    source, options = mount["Source"], mount["BindOptions"] or NO_BIND_OPTIONS
    if not source:
        raise InvalidArgument("field Source must not be empty")
    if not source.startswith("/"):
        raise InvalidArgument(f"invalid mount path: '{source}' mount path must be absolute")
    propagation = options["Propagation"] or "rprivate"
    if propagation not in PROPAGATIONS:
        raise InvalidArgument(f"invalid propagation mode: {propagation}")
    if options["ReadOnlyForceRecursive"] and not (mount["ReadOnly"] and propagation == "rprivate"):
        raise InvalidArgument("mount source path must be read-only and rprivate for ReadOnlyForceRecursive")
    return MountRequest(
        "bind", posixpath.normpath("/" + source.lstrip("/")), target, mount["ReadOnly"], propagation,
        create_source=options["CreateMountpoint"], recursive=not options["NonRecursive"],
        read_only_recursive=not options["ReadOnlyNonRecursive"],
    )  # fmt: skip


def _volume_object(mount: MountConfig, target: str) -> MountRequest:
    options = mount["VolumeOptions"] or NO_VOLUME_OPTIONS
    driver = options["DriverConfig"]
    if not mount["Source"] and mount["ReadOnly"]:
        raise InvalidArgument("must not set ReadOnly mode when using anonymous volumes")
    if options["Subpath"]:
        raise Unsupported("muelle does not mount a path inside a volume yet")
    return _volume(
        MountRequest(
            "volume", mount["Source"], target, mount["ReadOnly"], mode="z", copy=not options["NoCopy"],
            labels=options["Labels"], driver=(driver["Name"] if driver else "") or "local",
            driver_options=driver["Options"] if driver else None,
        )
    )  # fmt: skip


def _tmpfs_object(mount: MountConfig, target: str) -> MountRequest:
    options = mount["TmpfsOptions"] or NO_TMPFS_OPTIONS
    if mount["Source"]:
        raise InvalidArgument("field Source must not be specified")
    words = ["=".join(pair) for pair in options["Options"] or []]
    check_tmpfs_words(words)
    size, mode = options["SizeBytes"], options["Mode"]
    if size < 0:
        raise InvalidArgument("tmpfs size must not be negative")
    words = [*([f"size={size}"] if size else []), *([f"mode={mode & 0o7777:o}"] if mode else []), *words]
    return MountRequest("tmpfs", "", target, mount["ReadOnly"], options=",".join(words))


def _tmpfs(target: str, options: str) -> MountRequest:
    words = [word for word in options.split(",") if word]
    check_tmpfs_words(words)
    return MountRequest("tmpfs", "", _target(target), "ro" in words, options=options, listed=False)


def check_tmpfs_words(words: list[str]) -> None:
    """Raises InvalidArgument for an option of a tmpfs that is not known."""
    for word in words:
        if word not in TMPFS_FLAGS and not TMPFS_VALUE.fullmatch(word):
            raise InvalidArgument(f'invalid tmpfs option ["{word}"]')
