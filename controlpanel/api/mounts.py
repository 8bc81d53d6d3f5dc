"""A container's mounts as inspect and the list show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def render(points: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Docker's MountPoint objects, without the tmpfs mounts of HostConfig.Tmpfs."""
    return [_point(point) for point in points if point.get("listed", True)]


def _point(point: Mapping[str, Any]) -> dict[str, Any]:
    kind = point["type"]
    name = {"Name": point["name"]} if kind == "volume" else {}
    driver = {"Driver": point.get("driver", "local")} if kind == "volume" else {}
    return {
        "Type": kind,
        **name,
        "Source": point["source"],
        "Destination": point["target"],
        **driver,
        "Mode": point.get("mode", ""),
        "RW": not point.get("read_only", False),
        "Propagation": (point.get("propagation") or "rprivate") if kind == "bind" else "",
    }
