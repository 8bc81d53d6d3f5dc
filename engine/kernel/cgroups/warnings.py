"""Docker's warnings about limits that a kernel does not support and that are therefore discarded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .resources import Resources

_KERNEL = "Your kernel does not support "
_MOUNTED = " or the cgroup is not mounted. "


def warnings(resources: Resources, features: frozenset[str]) -> list[str]:
    """One text for each limit in ``resources`` whose feature is not there."""
    wanted = {
        "memory": (resources.memory > 0, "memory limit capabilities", "Limitation discarded."),
        "swap": (resources.memory_swap > 0, "swap limit capabilities", "Memory limited without swap."),
        "reservation": (resources.memory_reservation, "memory soft limit capabilities", "Limitation discarded."),
        "swappiness": (
            resources.memory_swappiness is not None, "memory swappiness capabilities", "Memory swappiness discarded.",
        ),
        "oom": (resources.oom_kill_disable, "OomKillDisable", "OomKillDisable discarded."),
        "cpu": (resources.cpu_quota or resources.cpu_period, "CPU CFS scheduler", "CPU period/quota discarded."),
        "shares": (resources.cpu_shares, "CPU shares", "Shares discarded."),
        "cpuset": (resources.cpuset_cpus or resources.cpuset_mems, "cpuset", "Cpuset discarded."),
        "pids": (resources.pids_limit > 0, "PIDs limit capabilities", "PIDs limit discarded."),
        "weight": (resources.blkio_weight, "Block I/O weight", "Weight discarded."),
        "weight_device": (resources.blkio_weight_device, "Block I/O weight_device", "Weight-device discarded."),
        "throttle": (_throttled(resources), "Block I/O throttling", "Block I/O limit discarded."),
    }  # fmt: skip
    return [
        f"{_KERNEL}{what}{_MOUNTED}{result}"
        for feature, (is_wanted, what, result) in wanted.items()
        if is_wanted and feature not in features
    ]


def _throttled(resources: Resources) -> bool:
    return bool(resources.read_bps or resources.write_bps or resources.read_iops or resources.write_iops)
