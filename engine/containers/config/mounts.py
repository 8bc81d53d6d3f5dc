"""Mounts of a container: Binds texts, the Mounts list, Tmpfs, VolumesFrom and image volumes, as one list of requests.

Pure: whether a bind's source exists, and which directory a volume has, is for the worker that carries the requests out.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from engine.errors import InvalidArgument, NotFound, Unsupported

PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
CONSISTENCIES = frozenset({"default", "consistent", "cached", "delegated"})
WORDS = (
    frozenset({"rw", "ro"}), frozenset({"z", "Z"}), PROPAGATIONS, frozenset({"nocopy", "copy"}), CONSISTENCIES,
)  # fmt: skip
TMPFS_FLAGS = frozenset({"rw", "ro", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "defaults"})
TMPFS_VALUE = re.compile(r"(size|mode|uid|gid|nr_inodes|nr_blocks|mpol|huge)=.+")
VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}")


class MountRequest(NamedTuple):
    """One mount that a container asks for.

    ``type`` is ``bind``, ``volume`` or ``tmpfs``; ``source`` a host path, a volume's name, or "" (anonymous).
    ``mode`` is the text that inspect shows. ``create_source`` makes a missing bind source (Binds do, Mounts do not).
    ``options`` are tmpfs options (``size=…,mode=…``). ``listed`` is false for what inspect leaves out of Mounts.
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
    options: str = ""
    listed: bool = True
    labels: dict[str, str] | None = None
    driver: str = "local"
    driver_options: dict[str, str] | None = None


class VolumesFrom(NamedTuple):
    """Take over the volumes and binds of another container."""

    container: str
    read_only: bool


def requests(config: dict[str, Any], host: dict[str, Any]) -> list[MountRequest]:
    """Everything mounted besides VolumesFrom, duplicates refused; image volumes only where nothing else is mounted."""
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
    return explicit + list(_image_volumes(config["Volumes"] or {}, taken, driver))


def volumes_from(host: dict[str, Any]) -> list[VolumesFrom]:
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


def _image_volumes(volumes: Iterable[str], taken: set[str], driver: str) -> Iterable[MountRequest]:
    for volume in sorted(volumes):
        target = _target(volume)
        if target not in taken:
            yield _volume(MountRequest("volume", "", target, driver=driver))


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


def _mount_object(mount: dict[str, Any]) -> MountRequest:
    kind = mount["Type"]
    if kind not in OPTIONS_OF:
        raise InvalidArgument(f'invalid mount config for type "{kind}": mount type unknown')
    if kind == "image":
        raise Unsupported("muelle does not mount images yet")
    try:
        for other, field in OPTIONS_OF.items():
            if other != kind and mount[field] is not None:
                raise InvalidArgument(f'{field} must not be specified on mount type "{kind}"')
        target = _target(mount["Target"])
        return {"bind": _bind_object, "volume": _volume_object, "tmpfs": _tmpfs_object}[kind](mount, target)
    except InvalidArgument as error:
        raise InvalidArgument(f'invalid mount config for type "{kind}": {error}') from None


def _bind_object(mount: dict[str, Any], target: str) -> MountRequest:
    source, options = mount["Source"], mount["BindOptions"] or {}
    if not source:
        raise InvalidArgument("field Source must not be empty")
    if not source.startswith("/"):
        raise InvalidArgument(f"invalid mount path: '{source}' mount path must be absolute")
    propagation = options.get("Propagation") or "rprivate"
    if propagation not in PROPAGATIONS:
        raise InvalidArgument(f"invalid propagation mode: {propagation}")
    if options.get("ReadOnlyForceRecursive") and not (mount["ReadOnly"] and propagation == "rprivate"):
        raise InvalidArgument("mount source path must be read-only and rprivate for ReadOnlyForceRecursive")
    return MountRequest(
        "bind", posixpath.normpath("/" + source.lstrip("/")), target, mount["ReadOnly"], propagation,
        create_source=bool(options.get("CreateMountpoint")), recursive=not options.get("NonRecursive"),
    )  # fmt: skip


def _volume_object(mount: dict[str, Any], target: str) -> MountRequest:
    options = mount["VolumeOptions"] or {}
    driver = options.get("DriverConfig") or {}
    if not mount["Source"] and mount["ReadOnly"]:
        raise InvalidArgument("must not set ReadOnly mode when using anonymous volumes")
    if options.get("Subpath"):
        raise Unsupported("muelle does not mount a path inside a volume yet")
    return _volume(
        MountRequest(
            "volume", mount["Source"], target, mount["ReadOnly"], mode="z", copy=not options.get("NoCopy"),
            labels=options.get("Labels"), driver=driver.get("Name") or "local", driver_options=driver.get("Options"),
        )
    )  # fmt: skip


def _tmpfs_object(mount: dict[str, Any], target: str) -> MountRequest:
    options = mount["TmpfsOptions"] or {}
    if mount["Source"]:
        raise InvalidArgument("field Source must not be specified")
    words = ["=".join(pair) for pair in options.get("Options") or []]
    _check_tmpfs_words(words)
    size, mode = options.get("SizeBytes") or 0, options.get("Mode") or 0
    if size < 0:
        raise InvalidArgument("tmpfs size must not be negative")
    words = [*([f"size={size}"] if size else []), *([f"mode={mode & 0o7777:o}"] if mode else []), *words]
    return MountRequest("tmpfs", "", target, mount["ReadOnly"], options=",".join(words))


def _tmpfs(target: str, options: str) -> MountRequest:
    words = [word for word in options.split(",") if word]
    _check_tmpfs_words(words)
    return MountRequest("tmpfs", "", _target(target), "ro" in words, options=options, listed=False)


def _check_tmpfs_words(words: list[str]) -> None:
    for word in words:
        if word not in TMPFS_FLAGS and not TMPFS_VALUE.fullmatch(word):
            raise InvalidArgument(f'invalid tmpfs option ["{word}"]')
