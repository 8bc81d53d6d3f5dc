"""A container's mounts as inspect and the list show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.containers import config_mounts


def render(
    points: Iterable[Mapping[str, Any]], config: Mapping[str, Any], host_config: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Docker's MountPoint objects. ``points`` are the container's stored mounts; the request knows their Mode texts."""
    points = list(points)
    if not points:
        return []
    asked = {request.target: request for request in config_mounts.requests(dict(config), dict(host_config))}
    return [
        _point(point, asked.get(point["target"]))
        for point in points
        if (request := asked.get(point["target"])) is None or request.listed
    ]


def _point(point: Mapping[str, Any], asked: config_mounts.MountRequest | None) -> dict[str, Any]:
    kind = point["type"]
    answer: dict[str, Any] = {"Type": kind}
    if kind == "volume":
        answer["Name"] = point.get("name", "")
    answer |= {"Source": "" if kind == "tmpfs" else point["source"], "Destination": point["target"]}
    if kind == "volume":
        answer["Driver"] = "local"
    return answer | {
        "Mode": asked.mode if asked else "",
        "RW": not point.get("read_only", False),
        "Propagation": (point.get("propagation") or "rprivate") if kind == "bind" else "",
    }
