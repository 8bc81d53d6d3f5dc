"""/dev/console of a container that has a terminal."""

from __future__ import annotations

import os

from engine.containers.shim import binds, places
from engine.errors import InvalidArgument
from engine.kernel import libc, mountinfo

_CONSOLE = "/dev/console"


def make(slave: int) -> None:
    """Mount the terminal there, by descriptor and through no link (CVE-2025-52565).

    Volumes are mounted already. A /dev that is shared with the host keeps its own: the host would get ours.
    """
    try:
        place = places.open_place(_CONSOLE, directory=False, links=False)
        if not mountinfo.of(place).shared:
            fd = binds.copy(slave)
            libc.move_mount(fd, place)
            os.close(fd)
        os.close(place)
    except OSError as error:
        raise InvalidArgument(f"cannot make {_CONSOLE}: {(error.strerror or '').lower()}") from error
