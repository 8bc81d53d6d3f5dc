"""The ``local`` driver: a volume is a directory below ``layout.volumes``, and its name is the directory's."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.archives.trees import remove_tree
from engine.errors import InvalidArgument, NotFound, SystemFailure, Unsupported
from engine.kernel import libc

if TYPE_CHECKING:
    from pathlib import Path

    from engine.layout import Layout

DRIVER = "local"

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z")
_MOUNT_OPTIONS = ("type", "o", "device")


def check(name: str, driver: str = DRIVER, options: Mapping[str, str] | None = None) -> None:
    """Raise InvalidArgument, NotFound or Unsupported, with Docker's text, for a volume that cannot be made."""
    if driver != DRIVER:
        raise NotFound(f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found')
    if len(name) == 1:
        raise InvalidArgument(
            f"create {name}: volume name is too short, names should be at least two alphanumeric characters"
        )
    if not _NAME.match(name):
        raise InvalidArgument(
            f'create {name}: "{name}" includes invalid characters for a local volume name, '
            'only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. '
            "If you intended to pass a host directory, use absolute path"
        )
    _check_options(name, options or {})


def create(layout: Layout, name: str, driver: str = DRIVER, options: Mapping[str, str] | None = None) -> Path:
    """Make a volume's directory and return the path that containers are given; one that is there is kept as it is."""
    check(name, driver, options)
    path = layout.volume(name)
    try:
        path.parent.mkdir(mode=0o701, exist_ok=True)
        path.mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise SystemFailure(f"create {name}: {error.strerror}") from error
    return path


def remove(layout: Layout, name: str) -> None:
    """Delete a volume with all it holds; none is fine. That nobody uses it is the caller's affair."""
    check(name)
    try:
        remove_tree(layout.volume(name).parent)
    except OSError as error:
        raise SystemFailure(f"remove {name}: {error.filename}: {error.strerror}") from error


def usage(layout: Layout, name: str) -> int:
    """Bytes in a volume as ``docker system df`` counts them: sizes of all but directories, each hard link once."""
    check(name)
    seen: set[tuple[int, int]] = set()
    total = 0
    for status in _entries(layout.volume(name)):
        identity = (status.st_dev, status.st_ino)
        if status.st_nlink > 1 and identity in seen:
            continue
        seen.add(identity)
        total += status.st_size
    return total


def _check_options(name: str, options: Mapping[str, str]) -> None:
    for option in options:
        if option not in _MOUNT_OPTIONS:
            raise InvalidArgument(f'create {name}: invalid option: "{option}"')
    if options and not options.get("device"):
        raise InvalidArgument(f'create {name}: missing required option: "device"')
    if options:
        raise Unsupported(f"create {name}: volumes that are mounted (options type, o, device) are not supported")


def _entries(root: Path) -> Iterator[os.stat_result]:
    """lstat of everything below a directory that is no directory; what vanishes meanwhile is passed over.

    Containers may write at the same time: no symlink is followed, and directories nested deeper than a path can name
    (4096 bytes) are not counted.
    """
    try:
        top = os.open(root, _DIRECTORY)
    except FileNotFoundError:
        return
    try:
        pending = ["."]
        while pending:
            with suppress(OSError):
                yield from _directory(top, pending.pop(), pending)
    finally:
        os.close(top)


def _directory(top: int, path: str, pending: list[str]) -> Iterator[os.stat_result]:
    descriptor = libc.openat2(top, path, _DIRECTORY, resolve=libc.RESOLVE_BENEATH | libc.RESOLVE_NO_SYMLINKS)
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{path}/{entry.name}")
                else:
                    yield entry.stat(follow_symlinks=False)
    finally:
        os.close(descriptor)
