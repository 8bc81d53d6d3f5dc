"""A container's mounts as inspect and the list show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.containers.config.mounts import Mount


def render(stored: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Docker's MountPoint objects, without the tmpfs mounts of HostConfig.Tmpfs."""
    mounts = map(Mount.from_json, stored)
    return [_point(mount) for mount in mounts if mount.listed]


def _point(mount: Mount) -> dict[str, Any]:
    volume = mount.type == "volume"
    return {
        "Type": mount.type,
        **({"Name": mount.name} if volume else {}),
        "Source": mount.source,
        "Destination": mount.target,
        **({"Driver": mount.driver} if volume else {}),
        "Mode": mount.mode,
        "RW": not mount.read_only,
        "Propagation": (mount.propagation or "rprivate") if mount.type == "bind" else "",
    }
