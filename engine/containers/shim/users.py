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
_MAX_DIGITS = len(str(_MAX_ID))
_SHOWN = 64  # characters of a name in an error message


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
    uid = _number(name)
    if uid is None:
        raise InvalidArgument(f"unable to find user {_shown(name)}: no matching entries in passwd file")
    return uid, 0, "/", ""


def _find_group(path: str, name: str) -> int:
    for line in _groups(path, name):
        if name in (line[0], line[2]):
            return int(line[2])
    gid = _number(name)
    if gid is None:
        raise InvalidArgument(f"unable to find group {_shown(name)}: no matching entries in group file")
    return gid


def _number(text: str) -> int | None:
    """An ID that the kernel takes. int() would also read other scripts' digits, and fails with thousands of them."""
    if not (text.isascii() and text.isdecimal()):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MAX_DIGITS and int(digits) <= _MAX_ID else None


def _shown(name: str) -> str:
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"


def _groups(path: str, word: str) -> Iterator[list[str]]:
    """The groups whose lines have ``word`` in them somewhere."""
    return _entries(path, 3, ids=(2,), word=word)


def _members(line: list[str]) -> list[str]:
    return line[3].split(",") if len(line) > 3 else []


def _entries(path: str, fields: int, ids: tuple[int, ...], word: str = "") -> Iterator[list[str]]:
    """Lines with at least ``fields`` fields and IDs at ``ids``, without zeros before them; others are skipped, as by
    the C library."""
    for line in _read(path).split("\n"):
        # Every exec looks users up, in a process whose pages are still its parent's: what is not read is not copied.
        if word not in line:
            continue
        parts = line.strip().split(":")
        if len(parts) < fields:
            continue
        numbers = [_number(parts[index]) for index in ids]
        if None not in numbers:
            for index, number in zip(ids, numbers, strict=True):
                parts[index] = str(number)
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
