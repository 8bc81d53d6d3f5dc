"""Platforms that an image is for: ``linux/amd64``, ``linux/arm/v7`` (OCI image-spec, image-index.md; GOOS and GOARCH).

The rules of github.com/containerd/platforms, which Docker uses: other spellings are made equal, and a processor also
runs what was built for its predecessors.
"""

from __future__ import annotations

import platform as machine
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from engine.errors import InvalidArgument, NotFound

_COMPONENT = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_MAX_TEXT = 256
# What Go knows, and so what a single word may be.
_SYSTEM = re.compile(
    "aix|android|darwin|dragonfly|freebsd|hurd|illumos|ios|js|linux|nacl|netbsd|openbsd|plan9|solaris|windows|zos"
)
_ARCHITECTURE = re.compile(
    "386|amd64(p32)?|arm(be)?|arm64(be)?|loong64|mips(le)?|mips64(p32)?(le)?|ppc|ppc64(le)?|riscv(64)?|s390x?|sparc(64)?|wasm"
)
_SPELLINGS = {
    "i386": ("386", ""),
    "i686": ("386", ""),
    "x86_64": ("amd64", None),
    "x86-64": ("amd64", None),
    "aarch64": ("arm64", None),
    "armhf": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
# The variants that are meant when none is named, or that are named without their "v".
_VARIANTS = {
    ("amd64", "v1"): "",
    ("arm64", "8"): "",
    ("arm64", "v8"): "",
    ("arm", ""): "v7",
    ("arm", "5"): "v5",
    ("arm", "6"): "v6",
    ("arm", "7"): "v7",
    ("arm", "8"): "v8",
}
_NUMBER = re.compile(r"v(\d)(?:\.(\d))?", re.ASCII)


class Platform(NamedTuple):
    """``variant`` is empty where the architecture has none, or the usual one."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, self)) if self.os else "unknown"

    @property
    def normalised(self) -> Platform:
        """The spelling that all who mean the same platform share."""
        system = self.os.lower() or "linux"
        architecture, variant = self.architecture.lower(), self.variant.lower()
        known, fixed = _SPELLINGS.get(architecture, (architecture, None))
        variant = variant if fixed is None else fixed
        return Platform("darwin" if system == "macos" else system, known, _VARIANTS.get((known, variant), variant))

    def matches(self, config: Mapping[str, Any]) -> bool:
        """Whether an image with this configuration is for the platform, or for one that it runs too.

        An image that names no variant is taken for any: many builders leave it out.
        """
        own = of(config)
        wanted, offered = self.normalised, own.normalised
        if offered in _accepted(wanted):
            return True
        return not own.variant and wanted[:2] == offered[:2]


def of(config: Mapping[str, Any]) -> Platform:
    """What an image's configuration says, as it is written there."""
    return Platform(config.get("os") or "linux", config.get("architecture") or "", config.get("variant") or "")


def _accepted(wanted: Platform) -> list[Platform]:
    """``wanted`` and what its processor runs besides: amd64 also 386, arm/v7 also arm/v6, arm64 also arm/v8."""
    system, architecture, variant = wanted
    accepted = [wanted]
    if architecture == "amd64":
        accepted += [Platform(system, "amd64", each) for each in _below(variant, 1)]
        accepted += [Platform(system, "amd64"), Platform(system, "386")]
    elif architecture == "arm":
        accepted += [Platform(system, "arm", each) for each in _below(variant, 5)]
    elif architecture == "arm64":
        accepted += [Platform(system, "arm64", each) for each in _below_arm64(variant)]
        accepted += _accepted(Platform(system, "arm", "v8"))
    return accepted


def _below(variant: str, lowest: int) -> list[str]:
    found = _NUMBER.fullmatch(variant)
    return [f"v{number}" for number in range(lowest, int(found[1]))] if found else []


def _below_arm64(variant: str) -> list[str]:
    """v9.2 contains v9.1, v9, and v8.7 with all below it: v9.0 is v8.5 and more."""
    found = _NUMBER.fullmatch(variant or "v8")
    if not found:
        return []
    major, minor = int(found[1]), int(found[2] or 0)
    numbers = [(9, each) for each in range(minor)] if major == 9 else []
    if major in (8, 9):
        numbers += [(8, each) for each in range(minor + 6 if major == 9 else minor)]
    return ["" if number == (8, 0) else f"v{number[0]}.{number[1]}".removesuffix(".0") for number in numbers]


# What this machine is. GOARCH names, which image configurations use.
HOST = Platform("linux", machine.machine()).normalised


def parse(specifier: str) -> Platform:
    """``os/arch[/variant]``, or one of the first two alone; InvalidArgument with Docker's texts."""
    if len(specifier) > _MAX_TEXT:
        raise InvalidArgument(f"platform specifier is longer than {_MAX_TEXT} characters: invalid argument")
    if "*" in specifier:
        raise InvalidArgument(f'"{specifier}": wildcards not yet supported: invalid argument')
    parts = specifier.split("/")
    for part in parts[:3]:
        if not _COMPONENT.fullmatch(part):
            raise InvalidArgument(
                f'"{part}" is an invalid component of "{specifier}": platform specifier component must match '
                f'"^[A-Za-z0-9_.-]+$": invalid argument'
            )
    if len(parts) > 3:
        raise InvalidArgument(f'"{specifier}": cannot parse platform specifier: invalid argument')
    return _single(specifier) if len(parts) == 1 else _spelled(Platform(*parts))


def _single(word: str) -> Platform:
    """An operating system or an architecture; the other is this machine's."""
    if _SYSTEM.fullmatch(system := Platform(word, "").normalised.os):
        return Platform(system, HOST.architecture, HOST.variant)
    found = _spelled(Platform("linux", word))
    if _ARCHITECTURE.fullmatch(found.architecture):
        return found
    raise InvalidArgument(f'"{word}": unknown operating system or architecture: invalid argument')


def _spelled(found: Platform) -> Platform:
    """Normalised, with the variant only where the text had one (arm/v7 is what arm means anyway)."""
    answer = found.normalised
    if found.architecture.lower() in ("arm", "armhf") and not found.variant:
        return answer._replace(variant="")
    if answer.architecture == "arm64" and found.variant and not answer.variant:
        return answer._replace(variant="v8")
    return answer


def decode(text: str) -> Platform:
    """The JSON form of the API's newer parameters: ``{"os":"linux","architecture":"arm","variant":"v7"}``."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as failure:
        raise InvalidArgument(f"failed to parse platform: {failure}") from None
    if not isinstance(value, dict):
        raise InvalidArgument("failed to parse platform: not an object")
    fields = {key.lower(): field for key, field in value.items() if field is not None}
    system, architecture, variant = (fields.get(key, "") for key in Platform._fields)
    if not all(isinstance(each, str) and len(each) <= _MAX_TEXT for each in (system, architecture, variant)):
        raise InvalidArgument("failed to parse platform: os, architecture and variant are short strings")
    for each in (system, architecture, variant):
        if each and not _COMPONENT.fullmatch(each):
            raise InvalidArgument(f'failed to parse platform: "{each}" is none of its components')
    if not (system and architecture):
        if not (system or architecture) and (variant or fields.get("os.version") or fields.get("os.features")):
            raise InvalidArgument("optional platform fields provided, but OS and Architecture are missing")
        raise InvalidArgument("both OS and Architecture must be provided")
    return Platform(system, architecture, variant)


def check(config: Mapping[str, Any], name: str, wanted: Platform) -> None:
    """NotFound, with Docker's text, when the image that ``name`` means is for another platform."""
    if not wanted.matches(config):
        raise NotFound(
            f"image with reference {name} was found but its platform ({of(config)}) does not match the specified "
            f"platform ({wanted})"
        )


def check_export(config: Mapping[str, Any], wanted: Platform) -> None:
    """The same with the text of ``docker save``."""
    if not wanted.matches(config):
        raise NotFound(f"no suitable export target found for platform {wanted}")
