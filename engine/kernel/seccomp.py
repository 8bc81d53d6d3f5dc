"""System call filters of containers: Docker's default profile, or one given by ``--security-opt seccomp=``.

A filter is made once for each pair of profile and capabilities and kept on disk: making it costs some ten milliseconds,
loading it is one system call. An init only loads the bytes (`engine.kernel.libc.set_seccomp_filter`).
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from engine.errors import InvalidArgument
from engine.layout import Layout

from . import libseccomp
from .seccomp_profile import DEFAULT, Argument, Profile, Rule

_MAX_RULES = 4096
_ARCHITECTURES = "SCMP_ARCH_"


def program(capabilities: frozenset[str], profile: Profile = DEFAULT, cache: Path | None = None) -> bytes:
    """The BPF program for a container with ``capabilities``: an array of struct sock_filter.

    ``cache`` is a directory of root's own; by default that of the installation in the environment.
    """
    return _program(capabilities, profile, cache or Layout.from_environment().cache)


@functools.lru_cache(maxsize=64)
def _program(capabilities: frozenset[str], profile: Profile, cache: Path) -> bytes:
    path = cache / "seccomp" / _digest(capabilities, profile)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        built = libseccomp.build(profile, capabilities)
    _keep(path, built)
    return built


def _digest(capabilities: frozenset[str], profile: Profile) -> str:
    host = os.uname()
    parts = (libseccomp.version(), host.release, host.machine, capabilities, profile)
    return hashlib.sha256(json.dumps(parts, default=sorted).encode()).hexdigest()


def _keep(path: Path, built: bytes) -> None:
    """Write by rename: another worker may make the same file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(built)
    temporary.replace(path)


def parse_profile(document: Any) -> Profile:
    """Read a profile in Docker's JSON form, already decoded. Raises InvalidArgument.

    The form is described at https://docs.docker.com/engine/security/seccomp/. ``archMap`` and ``architectures`` are
    alternatives.
    """
    try:
        return _profile(document)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidArgument(f"Decoding seccomp profile failed: {error}") from error


def _profile(document: Any) -> Profile:
    syscalls = document.get("syscalls") or []
    if len(syscalls) > _MAX_RULES:
        raise ValueError("too many rules")
    return Profile(
        _known(document["defaultAction"], libseccomp.ACTIONS, "action"),
        int(document.get("defaultErrnoRet", 1)),
        _architectures(document),
        tuple(_rule(each) for each in syscalls),
    )


def _architectures(document: Any) -> tuple[str, ...]:
    listed = list(document.get("architectures") or [])
    for entry in document.get("archMap") or []:
        listed += [entry["architecture"], *(entry.get("subArchitectures") or [])]
    return tuple(name.removeprefix(_ARCHITECTURES).lower() for name in listed)


def _rule(entry: Any) -> Rule:
    includes, excludes = entry.get("includes") or {}, entry.get("excludes") or {}
    return Rule(
        names=tuple(map(str, entry.get("names") or [entry["name"]])),
        action=_known(entry["action"], libseccomp.ACTIONS, "action"),
        errno=int(entry.get("errnoRet", 1)),
        arguments=tuple(_argument(argument) for argument in entry.get("args") or []),
        with_capabilities=frozenset(includes.get("caps") or ()),
        without_capabilities=frozenset(excludes.get("caps") or ()),
        architectures=frozenset(includes.get("arches") or ()),
        not_architectures=frozenset(excludes.get("arches") or ()),
        minimal_kernel=_version(includes.get("minKernel") or "0.0"),
    )


def _argument(entry: Any) -> Argument:
    index, value, second = int(entry["index"]), int(entry["value"]), int(entry.get("valueTwo", 0))
    if not (0 <= index < 6 and 0 <= value < 2**64 and 0 <= second < 2**64):
        raise ValueError("argument out of range")
    return Argument(index, value, second, _known(entry["op"], libseccomp.OPERATORS, "operator"))


def _known(name: str, table: dict[str, int], what: str) -> str:
    if name not in table:
        raise ValueError(f'{what} "{name}" is not supported')
    return name


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)
