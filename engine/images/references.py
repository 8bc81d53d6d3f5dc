"""Names of images: ``busybox``, ``registry:5000/team/app:1.0``, ``app@sha256:…`` (distribution/reference grammar)."""

from __future__ import annotations

import re
from typing import NamedTuple

from engine.errors import InvalidArgument
from engine.images import globs

DEFAULT_DOMAIN, OFFICIAL, DEFAULT_TAG = "docker.io", "library", "latest"
_LEGACY_DOMAIN = "index.docker.io"
_MAX_NAME = 255
_MAX_REFERENCE = 512  # with host, tag and digest; what a store of names has room for
_ALGORITHM = "sha256"

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<domain>{_HOST})/(?P<path>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}", re.ASCII)
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


class Reference(NamedTuple):
    """A parsed name. ``tag`` is None when the text has a digest and no tag; otherwise it defaults to ``latest``."""

    domain: str
    path: str
    tag: str | None
    digest: str | None

    @property
    def name(self) -> str:
        """Without tag and digest, complete: ``docker.io/library/busybox``."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        """Without tag and digest, as users see it: ``busybox``."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        first, _, rest = self.path.partition("/")
        return rest if first == OFFICIAL and rest and "/" not in rest else self.path

    @property
    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return tag + (f"@{self.digest}" if self.digest else "")

    @property
    def familiar(self) -> str:
        return self.familiar_name + self._suffix

    @property
    def canonical(self) -> str:
        return self.name + self._suffix


def parse(text: str) -> Reference:
    """Parse and complete a name. InvalidArgument with Docker's text when it is none."""
    if len(text) > _MAX_REFERENCE:
        raise InvalidArgument("invalid reference format")
    if _IDENTIFIER.fullmatch(text):
        raise InvalidArgument(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    domain, path = _split(text)
    name = path.partition("@")[0].partition(":")[0]
    if name != name.lower():
        raise InvalidArgument(f"invalid reference format: repository name ({name}) must be lowercase")
    match = _REFERENCE.fullmatch(f"{domain}/{path}")
    if match is None:
        raise InvalidArgument("invalid reference format")
    if len(match["path"]) > _MAX_NAME:
        raise InvalidArgument(f"repository name must not be more than {_MAX_NAME} characters")
    digest = _checked(match["digest"])
    tag = match["tag"] or (None if digest else DEFAULT_TAG)
    return Reference(match["domain"], match["path"], tag, digest)


def parse_tag(text: str) -> Reference:
    """Parse a name that is to be given to an image: one with a tag, that nobody takes for an image's ID."""
    parsed = parse(text)
    if parsed.digest:
        raise InvalidArgument("refusing to create a tag with a digest reference")
    if parsed.familiar_name == _ALGORITHM:
        raise InvalidArgument("refusing to create an ambiguous tag using digest algorithm as name")
    return parsed


def fits(pattern: str, familiar: str) -> bool:
    """Whether a familiar reference, or its name without tag and digest, fits a pattern (reference.FamiliarMatch).

    InvalidArgument when the pattern is malformed.
    """
    before, slash, last = familiar.partition("@")[0].rpartition("/")
    name = f"{before}{slash}{last.partition(':')[0]}"
    return globs.matches(pattern, familiar) or globs.matches(pattern, name)


def _split(text: str) -> tuple[str, str]:
    """The first part is a host when it has a dot, a colon or an upper-case letter, or is ``localhost``."""
    first, slash, rest = text.partition("/")
    is_host = "." in first or ":" in first or first == "localhost" or first.lower() != first
    domain, path = (first, rest) if slash and is_host else (DEFAULT_DOMAIN, text)
    if domain == _LEGACY_DOMAIN:
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = f"{OFFICIAL}/{path}"
    return domain, path


def _checked(digest: str | None) -> str | None:
    if digest is None:
        return None
    algorithm, _, value = digest.partition(":")
    if algorithm not in _DIGEST_LENGTHS:
        raise InvalidArgument("unsupported digest algorithm")
    if len(value) != _DIGEST_LENGTHS[algorithm]:
        raise InvalidArgument("invalid checksum digest length")
    if value != value.lower():
        raise InvalidArgument("invalid checksum digest format")
    return digest
