"""Merging an image's configuration into a container's: Docker's rules for what the user overrides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.containers.config.decode import decode
from engine.containers.config.tables import CONFIG
from engine.errors import InvalidArgument

INHERITED_WHEN_EMPTY = ("User", "WorkingDir", "StopSignal")


def merge(config: dict[str, Any], image_config: Mapping[str, Any]) -> None:
    """Fill a complete Config from an image's ``config`` object (OCI image specification), in place.

    InvalidArgument when neither names a command.
    """
    image = decode(image_config, CONFIG, "Config")
    for field in INHERITED_WHEN_EMPTY:
        config[field] = config[field] or image[field]
    config["Env"] = _merge_env(config["Env"] or [], image["Env"] or []) or None
    for field in ("Labels", "ExposedPorts", "Volumes"):
        config[field] = {**(image[field] or {}), **(config[field] or {})} or None
    config["Labels"] = config["Labels"] or {}
    _merge_command(config, image)
    if not (config["Entrypoint"] or config["Cmd"]):
        raise InvalidArgument("no command specified")


def command(config: Mapping[str, Any]) -> list[str]:
    """Entrypoint and command as one list: what inspect splits into Path and Args."""
    return [*(config["Entrypoint"] or []), *(config["Cmd"] or [])]


def _merge_command(config: dict[str, Any], image: Mapping[str, Any]) -> None:
    """``null`` inherits; ``[]`` clears the entrypoint and still inherits Cmd; ``[""]`` clears both; else nothing."""
    if not config["Entrypoint"]:
        if not config["Cmd"]:
            config["Cmd"] = image["Cmd"]
            config["ArgsEscaped"] = image["ArgsEscaped"]
        if config["Entrypoint"] is None:
            config["Entrypoint"] = image["Entrypoint"]
    if config["Entrypoint"] == [""]:
        config["Entrypoint"] = None


def _merge_env(own: list[str], inherited: list[str]) -> list[str]:
    """The user's variables first, as Docker lists them, then the image's that the user did not name."""
    names = {entry.partition("=")[0] for entry in own}
    return [*own, *(entry for entry in inherited if entry.partition("=")[0] not in names)]
