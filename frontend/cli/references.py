"""Names of images as far as a client checks them itself; the engine has the last word."""

from __future__ import annotations

import re

from .errors import CliError

_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d+)?"
_NAME = re.compile(rf"(?:{_HOST}/)?{_PATH}(?:/{_PATH})*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


def split_reference(image: str) -> tuple[str, str]:
    """Name, and tag or digest; the tag may be empty."""
    if "@" in image:
        name, _, digest = image.partition("@")
        return name, digest
    path, slash, last = image.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{path}{slash}{name}", tag


def check_reference(image: str) -> None:
    """Raises CliError with Docker's text for a name that no engine takes."""
    name, tag = split_reference(image)
    path = name if "/" in name else f"library/{name}"
    if not _NAME.fullmatch(name):
        if _NAME.fullmatch(name.lower()):
            raise CliError(f"invalid reference format: repository name ({path}) must be lowercase", 125)
        raise CliError("invalid reference format", 125)
    if tag and not tag.startswith("sha256:") and not _TAG.fullmatch(tag):
        raise CliError("invalid reference format", 125)


def with_tag(image: str) -> str:
    return image if split_reference(image)[1] else f"{image}:latest"
