"""What the page says about this installation."""

from __future__ import annotations

import os
import platform
from typing import TypedDict

from django.conf import settings

from controlpanel.access.scope import Scope
from controlpanel.panel import listing
from controlpanel.rest import versions


class Identity(TypedDict):
    version: str
    node: str


class About(TypedDict):
    """Sizes in bytes; ``containers`` counts by state."""

    version: str
    node: str
    hostname: str
    kernel: str
    architecture: str
    processors: int
    memory: int
    home: str
    socket: str
    containers: dict[str, int]
    images: int


def identity() -> Identity:
    return {"version": versions.MUELLE, "node": settings.MUELLE_NODE}


def about(scope: Scope) -> About:
    system = os.uname()
    layout = settings.MUELLE_LAYOUT
    return {
        **identity(),
        "hostname": system.nodename,
        "kernel": system.release,
        "architecture": platform.machine(),
        "processors": os.cpu_count() or 1,
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "home": str(layout.home),
        "socket": str(layout.docker_socket),
        "containers": listing.counts(scope),
        "images": scope.images().count(),
    }
