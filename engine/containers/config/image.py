"""Merging an image's configuration into a container's: Docker's rules for what the user overrides."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, cast

from engine.containers.config import signals
from engine.containers.config.decode import decode
from engine.containers.config.objects import Config
from engine.containers.config.tables import CONFIG
from engine.errors import InvalidArgument


def merge(config: Config, image_config: Mapping[str, Any]) -> None:
    """Fill a complete Config from an image's ``config`` object (OCI image specification), in place.

    InvalidArgument when neither names a command.
    """
    image = cast("Config", decode(image_config, CONFIG, "Config"))
    config["User"] = config["User"] or image["User"]
    config["WorkingDir"] = config["WorkingDir"] or image["WorkingDir"]
    config["StopSignal"] = config["StopSignal"] or _signal(image["StopSignal"])
    config["Env"] = _merge_env(config["Env"] or [], image["Env"] or []) or None
    config["Labels"] = image["Labels"] | config["Labels"]
    config["ExposedPorts"] = (image["ExposedPorts"] or {}) | (config["ExposedPorts"] or {}) or None
    config["Volumes"] = (image["Volumes"] or {}) | (config["Volumes"] or {}) or None
    _merge_command(config, image)
    if not (config["Entrypoint"] or config["Cmd"]):
        raise InvalidArgument("no command specified")


def command(config: Config) -> list[str]:
    """Entrypoint and command as one list: what inspect splits into Path and Args."""
    return [*(config["Entrypoint"] or []), *(config["Cmd"] or [])]


def _merge_command(config: Config, image: Config) -> None:
    """``null`` inherits; ``[]`` clears the entrypoint and still inherits Cmd; ``[""]`` clears both; else nothing."""
    if not config["Entrypoint"]:
        if not config["Cmd"]:
            config["Cmd"] = image["Cmd"]
            config["ArgsEscaped"] = image["ArgsEscaped"]
        if config["Entrypoint"] is None:
            config["Entrypoint"] = image["Entrypoint"]
    if config["Entrypoint"] == [""]:
        config["Entrypoint"] = None


def _signal(text: str) -> str:
    """A signal that the image names; Docker too sends its own default where it does not know the name."""
    with contextlib.suppress(InvalidArgument):
        signals.number(text)
        return text
    return ""


def _merge_env(own: list[str], inherited: list[str]) -> list[str]:
    """The user's variables first, as Docker lists them, then the image's that the user did not name."""
    names = {"", *(entry.partition("=")[0] for entry in own)}
    return [*own, *(entry for entry in inherited if entry.partition("=")[0] not in names)]
