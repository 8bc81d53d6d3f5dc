"""Finds the user a container's process runs as, in the passwd and group files of the container's own root.

A pure reader of two small files: the C library's own lookup would read the host's configuration and load plug-ins.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from engine.errors import InvalidArgument

_MAX_FILE = 4 * 1024 * 1024  # a container controls these files
_MAX_ID = 2**31 - 1


class User(NamedTuple):
    uid: int
    gid: int
    groups: list[int]
    home: str


def lookup(text: str, additional_groups: Iterable[str] = (), root: str = "") -> User:
    """Resolve Docker's ``user[:group]``, each a name or a number. Raises InvalidArgument with Docker's texts."""
    name, _, group = text.partition(":")
    uid, gid, home, login = _find_user(_entries(f"{root}/etc/passwd", 6, ids=(2, 3)), name or "0")
    group_file = f"{root}/etc/group"
    extra = [_find_group(group_file, wanted) for wanted in additional_groups]
    if group:
        gid = _find_group(group_file, group)
    elif login:
        extra += [int(line[2]) for line in _groups(group_file, login) if login in _members(line)]
    return User(uid, gid, sorted({gid, *extra}), home)


def _find_user(passwd: Iterable[list[str]], name: str) -> tuple[int, int, str, str]:
    for line in passwd:
        if name in (line[0], line[2]):
            return int(line[2]), int(line[3]), line[5] or "/", line[0]
    if not name.isdecimal() or int(name) > _MAX_ID:
        raise InvalidArgument(f"unable to find user {name}: no matching entries in passwd file")
    return int(name), 0, "/", ""


def _find_group(path: str, name: str) -> int:
    for line in _groups(path, name):
        if name in (line[0], line[2]):
            return int(line[2])
    if not name.isdecimal() or int(name) > _MAX_ID:
        raise InvalidArgument(f"unable to find group {name}: no matching entries in group file")
    return int(name)


def _groups(path: str, word: str) -> Iterator[list[str]]:
    """The groups whose lines have ``word`` in them somewhere."""
    return _entries(path, 3, ids=(2,), word=word)


def _members(line: list[str]) -> list[str]:
    return line[3].split(",") if len(line) > 3 else []


def _entries(path: str, fields: int, ids: tuple[int, ...], word: str = "") -> Iterator[list[str]]:
    """Lines with at least ``fields`` fields and numbers at ``ids``; others are skipped, as by the C library."""
    for line in _read(path).split("\n"):
        # Every exec looks users up, in a process whose pages are still its parent's: what is not read is not copied.
        if word not in line:
            continue
        parts = line.strip().split(":")
        if len(parts) >= fields and all(parts[index].isdecimal() and int(parts[index]) <= _MAX_ID for index in ids):
            yield parts


def _read(path: str) -> str:
    """A regular file's text, or nothing. A container may have put a FIFO there to make us wait."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return ""
        return os.read(fd, min(found.st_size, _MAX_FILE)).decode(errors="replace")
    finally:
        os.close(fd)
