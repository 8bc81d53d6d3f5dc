"""The ``local`` driver: a volume is a directory below ``layout.volumes``.

The directory has the volume's name, or, where several projects have their own, ``project~name``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.archives.trees import discard_tree, tree_size
from engine.errors import InvalidArgument, NotFound, SystemFailure, Unsupported

if TYPE_CHECKING:
    from pathlib import Path

    from engine.layout import Layout

DRIVER = "local"
REMOVED = ".removed-"  # begins the name of a directory whose volume is on its way out; no volume's does

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z")
_DIRECTORY = re.compile(r"(?:[a-z0-9][a-z0-9_-]*~)?" + _NAME.pattern)
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


def create(layout: Layout, directory: str) -> Path:
    """Make a volume's directory and return the path that containers are given; one that is there is kept as it is."""
    path = _place(layout, directory)
    try:
        path.parent.mkdir(mode=0o701, exist_ok=True)
        path.mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise SystemFailure(f"create {directory}: {error.strerror}") from error
    return path


def set_aside(layout: Layout, directory: str, key: str) -> None:
    """Take a volume's name away at once; ``key`` is under which it can be discarded, or restored. None is fine.

    Deleting many files takes long, and nobody need wait for it. That nobody uses the volume is the caller's affair.
    """
    try:
        with suppress(FileNotFoundError):
            _place(layout, directory).parent.rename(_aside(layout, key))
    except OSError as error:
        raise SystemFailure(f"remove {directory}: {error.strerror}") from error


def restore(layout: Layout, directory: str, key: str) -> None:
    """Give a volume that was set aside its name back; one that was not is left as it is."""
    try:
        with suppress(FileNotFoundError):
            _aside(layout, key).rename(_place(layout, directory).parent)
    except OSError as error:
        raise SystemFailure(f"restore {directory} from {_aside(layout, key)}: {error.strerror}") from error


def discard(layout: Layout, key: str) -> None:
    """Delete what can be deleted of a volume that was set aside; none is fine."""
    discard_tree(_aside(layout, key))


def keys_set_aside(layout: Layout) -> list[str]:
    """What removals have left, under way or for good."""
    return [path.name.removeprefix(REMOVED) for path in layout.volumes.glob(f"{REMOVED}*")]


def usage(layout: Layout, directory: str) -> int:
    """Bytes in a volume as ``docker system df`` counts them: sizes of all but directories, each hard link once."""
    return tree_size(_place(layout, directory))


def _place(layout: Layout, directory: str) -> Path:
    """Where a volume's files are; a name that leads elsewhere than below the volumes is refused."""
    if not _DIRECTORY.match(directory):
        raise InvalidArgument(f"{directory!r} is no directory of a volume")
    return layout.volume(directory)


def _aside(layout: Layout, key: str) -> Path:
    return layout.volumes / f"{REMOVED}{key}"


def _check_options(name: str, options: Mapping[str, str]) -> None:
    for option in options:
        if option not in _MOUNT_OPTIONS:
            raise InvalidArgument(f'create {name}: invalid option: "{option}"')
    if options and not options.get("device"):
        raise InvalidArgument(f'create {name}: missing required option: "device"')
    if options:
        raise Unsupported(f"create {name}: volumes that are mounted (options type, o, device) are not supported")
