"""Dockerfile instructions that ``docker import --change`` applies to an image's configuration."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import orjson

from engine.errors import InvalidArgument

Config = dict[str, Any]

SHELL = ["/bin/sh", "-c"]


def apply(instructions: list[str]) -> Config:
    """The configuration that ``instructions`` make. Raises InvalidArgument for one that import does not know."""
    config: Config = {}
    for instruction in instructions:
        for text in filter(None, map(str.strip, instruction.splitlines())):
            word, _, rest = text.partition(" ")
            handler = HANDLERS.get(word.upper())
            if handler is None:
                raise InvalidArgument(f"{word.lower()} is not a valid change command")
            if not rest.strip():
                raise InvalidArgument(f"{word.upper()} requires at least one argument")
            handler(config, rest.strip())
    return config


def _command(text: str) -> list[str]:
    """The JSON form as it is, anything else through the shell."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    return [*SHELL, text]


def _set_command(config: Config, text: str) -> None:
    config["Cmd"] = _command(text)


def _set_entrypoint(config: Config, text: str) -> None:
    config["Entrypoint"] = _command(text)


def _add_environment(config: Config, text: str) -> None:
    config.setdefault("Env", []).extend(f"{key}={value}" for key, value in _pairs("ENV", text))


def _add_labels(config: Config, text: str) -> None:
    config.setdefault("Labels", {}).update(_pairs("LABEL", text))


def _expose(config: Config, text: str) -> None:
    ports = (port if "/" in port else f"{port}/tcp" for port in text.split())
    config.setdefault("ExposedPorts", {}).update({port.lower(): {} for port in ports})


def _add_volumes(config: Config, text: str) -> None:
    paths = _command(text) if text.startswith("[") else text.split()
    config.setdefault("Volumes", {}).update({path: {} for path in paths})


def _set_user(config: Config, text: str) -> None:
    config["User"] = text


def _set_directory(config: Config, text: str) -> None:
    config["WorkingDir"] = text if text.startswith("/") else f"{config.get('WorkingDir', '').rstrip('/')}/{text}"


def _set_stop_signal(config: Config, text: str) -> None:
    config["StopSignal"] = text


def _add_trigger(config: Config, text: str) -> None:
    config.setdefault("OnBuild", []).append(text)


def _pairs(word: str, text: str) -> list[tuple[str, str]]:
    """``key=value`` words with shell quotes, or the old form ``key rest of the line``."""
    first = text.split(maxsplit=1)
    if "=" not in first[0]:
        if len(first) < 2:
            raise InvalidArgument(f"{word} must have two arguments")
        return [(first[0], first[1])]
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidArgument(f"{word}: {error}") from error
    if any("=" not in each for each in words):
        raise InvalidArgument(f"Syntax error - can't find = in {text!r}. Must be of the form: name=value")
    return [(key, value) for key, _, value in (each.partition("=") for each in words)]


HANDLERS: dict[str, Callable[[Config, str], None]] = {
    "CMD": _set_command,
    "ENTRYPOINT": _set_entrypoint,
    "ENV": _add_environment,
    "EXPOSE": _expose,
    "LABEL": _add_labels,
    "ONBUILD": _add_trigger,
    "STOPSIGNAL": _set_stop_signal,
    "USER": _set_user,
    "VOLUME": _add_volumes,
    "WORKDIR": _set_directory,
}
