"""The devices of a container: which nodes its /dev has, and what its cgroup lets it do with them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.containers.config.objects import HostConfig
from engine.errors import InvalidArgument
from engine.kernel.cgroups import Rule

Node = tuple[str, int, int, int, int, int]
"""Path, mode with type, major, minor, uid, gid."""

_CHARACTER = stat.S_IFCHR | 0o666
NODES: tuple[Node, ...] = (
    ("/dev/null", _CHARACTER, 1, 3, 0, 0),
    ("/dev/zero", _CHARACTER, 1, 5, 0, 0),
    ("/dev/full", _CHARACTER, 1, 7, 0, 0),
    ("/dev/random", _CHARACTER, 1, 8, 0, 0),
    ("/dev/urandom", _CHARACTER, 1, 9, 0, 0),
    ("/dev/tty", _CHARACTER, 5, 0, 0, 0),
)
RULES = (
    Rule("c", None, None, "m"),
    Rule("b", None, None, "m"),
    Rule("c", 1, 3, "rwm"),  # null
    Rule("c", 1, 5, "rwm"),  # zero
    Rule("c", 1, 7, "rwm"),  # full
    Rule("c", 1, 8, "rwm"),  # random
    Rule("c", 1, 9, "rwm"),  # urandom
    Rule("c", 5, 0, "rwm"),  # tty
    Rule("c", 5, 1, "rwm"),  # console
    Rule("c", 5, 2, "rwm"),  # ptmx
    Rule("c", 136, None, "rwm"),  # pts/*
)


def nodes(host_config: HostConfig) -> list[Node]:
    """The nodes in /dev: the default ones, and the host's by request; a privileged container sees all of the host's.

    Raises InvalidArgument for a device that is not there.
    """
    found = {node[0]: node for node in NODES}
    if host_config["Privileged"]:
        for path in _of_host():
            found.setdefault(str(path), _node(path.lstat(), str(path)))
    for wanted in host_config["Devices"] or ():
        inside = wanted["PathInContainer"] or wanted["PathOnHost"]
        for path, status in _asked_for(wanted["PathOnHost"]):
            place = os.path.normpath(f"{inside}/{path.relative_to(wanted['PathOnHost'])}")
            found[place] = _node(status, place)
    return list(found.values())


def rules(host_config: HostConfig) -> tuple[Rule, ...] | None:
    """The default list, ``--device`` and ``--device-cgroup-rule``; None for a privileged container: all are allowed.

    Raises InvalidArgument for a device that is not there.
    """
    if host_config["Privileged"]:
        return None
    extra: list[Rule] = []
    for device in host_config["Devices"] or ():
        access = device["CgroupPermissions"] or "rwm"
        extra += [_rule(status, access) for _, status in _asked_for(device["PathOnHost"])]
    extra += map(Rule.parse, host_config["DeviceCgroupRules"] or ())
    return (*RULES, *extra)


def _of_host() -> Iterable[Path]:
    """Device nodes of the host, without terminals of its sessions and what a container has of its own."""
    for directory, names, files in os.walk("/dev"):
        names[:] = [name for name in names if name not in ("pts", "shm", "mqueue", "fd", ".lxc", ".udev")]
        for name in files:
            path = Path(directory, name)
            node = not path.is_symlink() and (path.is_block_device() or path.is_char_device())
            if node and name not in ("console", "ptmx"):
                yield path


def _node(found: os.stat_result, inside: str) -> Node:
    return inside, found.st_mode, os.major(found.st_rdev), os.minor(found.st_rdev), found.st_uid, found.st_gid


def _asked_for(wanted: str) -> Iterator[tuple[Path, os.stat_result]]:
    """A device of the host, or every device in a directory such as /dev/snd, with what it is."""
    found = _status(Path(wanted))
    if _is_device(found):
        yield Path(wanted), found
    elif stat.S_ISDIR(found.st_mode):
        for directory, _, names in os.walk(wanted):
            inside = ((path, path.lstat()) for path in (Path(directory, name) for name in sorted(names)))
            yield from ((path, status) for path, status in inside if _is_device(status))
    else:
        raise _refusal(wanted, "not a device node")


def _rule(found: os.stat_result, access: str) -> Rule:
    kind = "c" if stat.S_ISCHR(found.st_mode) else "b"
    return Rule(kind, os.major(found.st_rdev), os.minor(found.st_rdev), access)


def _is_device(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise _refusal(path, (error.strerror or "").lower()) from error


def _refusal(path: str | Path, reason: str) -> InvalidArgument:
    return InvalidArgument(f'error gathering device information while adding custom device "{path}": {reason}')
