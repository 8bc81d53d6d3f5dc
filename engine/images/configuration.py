"""Image configurations (OCI image-spec, config.md; Docker's fields besides), checked before an image is let in.

The bytes of a configuration are kept as they came, because their digest is the image's ID. What later code reads is
the ``Configuration`` made of them here: every field in it has the right type and a bounded size, a field that was
``null`` is missing, and fields that nobody here knows stay as they are.
"""

from __future__ import annotations

import re
from typing import Any, Required, TypedDict, cast

from engine.errors import InvalidArgument
from engine.images import documents
from engine.images.documents import (
    Wrong,
    boolean,
    integer,
    listed,
    mapping,
    moment,
    nothing,
    record,
    text,
    text_or_empty,
    texts,
    words,
)

MAX_SIZE = 4 << 20  # bytes; registries and other tools stop there too
_WHAT = "image JSON"
_MANY = 10_000
_MAX_LAYERS = 1000  # no engine stacks so many
_WORD = 255
_USER = 512  # user and group, each as long as LOGIN_NAME_MAX
_PATH = 4095  # PATH_MAX without its NUL
_ARGUMENT = (128 << 10) - 1  # MAX_ARG_STRLEN of execve(2) without its NUL
_TEXT = 1 << 20
_PORT = re.compile(r"(\d{1,5})(?:/(?:tcp|udp|sctp)?)?", re.ASCII | re.IGNORECASE)


class Healthcheck(TypedDict, total=False):
    Test: list[str]
    Interval: int
    Timeout: int
    StartPeriod: int
    StartInterval: int
    Retries: int


class ContainerDefaults(TypedDict, total=False):
    """What containers of the image start with: ``config``."""

    User: str
    ExposedPorts: dict[str, dict[str, Any]]
    Env: list[str]
    Entrypoint: list[str]
    Cmd: list[str]
    Volumes: dict[str, dict[str, Any]]
    WorkingDir: str
    Labels: dict[str, str]
    StopSignal: str
    StopTimeout: int
    Healthcheck: Healthcheck
    OnBuild: list[str]
    Shell: list[str]
    ArgsEscaped: bool


class HistoryEntry(TypedDict, total=False):
    created: str
    created_by: str
    author: str
    comment: str
    empty_layer: bool


class RootFS(TypedDict, total=False):
    type: str
    diff_ids: Required[list[str]]


class Configuration(TypedDict, total=False):
    created: str
    author: str
    comment: str
    architecture: str
    variant: str
    os: str
    docker_version: str
    container: str
    container_config: ContainerDefaults
    config: ContainerDefaults
    history: list[HistoryEntry]
    rootfs: Required[RootFS]


def _port(value: Any, path: str) -> str:
    found = _PORT.fullmatch(value)
    if not found or not 0 < int(found[1]) < 1 << 16:
        raise Wrong(f"{path}: not the name of a port")
    return cast("str", value)


_HEALTHCHECK = record(
    {
        "Test": words(_ARGUMENT, _MANY),
        "Interval": integer,
        "Timeout": integer,
        "StartPeriod": integer,
        "StartInterval": integer,
        "Retries": integer,
    }
)
_DEFAULTS = record(
    {
        "Hostname": text(_WORD),
        "Domainname": text(_WORD),
        "User": text(_USER),
        "AttachStdin": boolean,
        "AttachStdout": boolean,
        "AttachStderr": boolean,
        "ExposedPorts": mapping(_port, nothing, _MANY),
        "Tty": boolean,
        "OpenStdin": boolean,
        "StdinOnce": boolean,
        "Env": texts(_ARGUMENT, _MANY),
        "Cmd": words(_ARGUMENT, _MANY),
        "Healthcheck": _HEALTHCHECK,
        "ArgsEscaped": boolean,
        "Image": text(_TEXT),
        "Volumes": mapping(text(_PATH), nothing, _MANY),
        "WorkingDir": text(_PATH),
        "Entrypoint": words(_ARGUMENT, _MANY),
        "NetworkDisabled": boolean,
        "MacAddress": text(_WORD),
        "OnBuild": texts(_TEXT, _MANY),
        "Labels": mapping(text(_TEXT), text_or_empty(_TEXT), _MANY),
        "StopSignal": text(_WORD),
        "StopTimeout": integer,
        "Shell": words(_ARGUMENT, _MANY),
    }
)
_HISTORY_ENTRY = record(
    {
        "created": moment,
        "created_by": text(_TEXT),
        "author": text(_TEXT),
        "comment": text(_TEXT),
        "empty_layer": boolean,
    }
)
_ROOTFS = record({"type": text(_WORD), "diff_ids": texts(_WORD, _MAX_LAYERS)})
_CONFIGURATION = record(
    {
        "created": moment,
        "author": text(_TEXT),
        "comment": text(_TEXT),
        "architecture": text(_WORD),
        "variant": text(_WORD),
        "os": text(_WORD),
        "docker_version": text(_WORD),
        "container": text(_WORD),
        "container_config": _DEFAULTS,
        "config": _DEFAULTS,
        "history": listed(_HISTORY_ENTRY, _MANY),
        "rootfs": _ROOTFS,
    }
)


def parse(data: bytes) -> Configuration:
    """Check a configuration's bytes; InvalidArgument names the field that is wrong."""
    if len(data) > MAX_SIZE:
        raise InvalidArgument(f"{_WHAT} is larger than {MAX_SIZE} bytes")
    checked = documents.decode(documents.parse(data, _WHAT), _CONFIGURATION, _WHAT)
    if "rootfs" not in checked:
        raise InvalidArgument(f"invalid {_WHAT}, no RootFS key")
    return _complete(checked)


def salvage(document: dict[str, Any]) -> Configuration:
    """What can be relied on of a configuration that was let in without a check: fields that are wrong are left out.

    The layers were always checked.
    """
    kept = dict(document)
    for field in ("config", "container_config"):
        if isinstance(kept.get(field), dict):
            kept[field] = documents.sound(kept[field], _DEFAULTS)
    return _complete(documents.sound(kept, _CONFIGURATION))


def _complete(checked: dict[str, Any]) -> Configuration:
    checked.setdefault("rootfs", {}).setdefault("diff_ids", [])
    return cast("Configuration", checked)
