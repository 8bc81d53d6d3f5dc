"""The limits of one container, taken from Docker's HostConfig and freed of its several ways to say the same."""

# Paths are plain strings because this runs on every start of a container.
# ruff: noqa: PTH116

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.errors import InvalidArgument

from .devices import Rule, rules

CPU_PERIOD = 100_000  # microseconds; the kernel's default


class Throttle(NamedTuple):
    """A limit of one block device: bytes or operations a second, or a weight."""

    device: str  # "major:minor"
    value: int


class Resources(NamedTuple):
    """What a cgroup limits. Zero, empty and None mean "not limited here"; -1 means "no limit", said explicitly."""

    memory: int = 0  # bytes
    memory_swap: int = 0  # bytes of memory and swap together
    memory_reservation: int = 0  # bytes
    memory_swappiness: int | None = None
    oom_kill_disable: bool = False
    cpu_period: int = 0  # microseconds
    cpu_quota: int = 0  # microseconds
    cpu_shares: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids_limit: int = 0
    blkio_weight: int = 0
    blkio_weight_device: tuple[Throttle, ...] = ()
    read_bps: tuple[Throttle, ...] = ()
    write_bps: tuple[Throttle, ...] = ()
    read_iops: tuple[Throttle, ...] = ()
    write_iops: tuple[Throttle, ...] = ()
    devices: tuple[Rule, ...] | None = None  # None: every device is allowed

    @classmethod
    def from_host_config(cls, host_config: Mapping[str, Any]) -> Resources:
        """Parse a HostConfig, complete or not. Raises InvalidArgument for a device that is not there."""
        get = host_config.get
        period, quota = _cpu_time(host_config)
        return cls(
            memory=get("Memory") or 0,
            memory_swap=get("MemorySwap") or 0,
            memory_reservation=get("MemoryReservation") or 0,
            memory_swappiness=get("MemorySwappiness"),
            oom_kill_disable=bool(get("OomKillDisable")),
            cpu_period=period,
            cpu_quota=quota,
            cpu_shares=get("CpuShares") or 0,
            cpuset_cpus=get("CpusetCpus") or "",
            cpuset_mems=get("CpusetMems") or "",
            pids_limit=get("PidsLimit") or 0,
            blkio_weight=get("BlkioWeight") or 0,
            blkio_weight_device=_throttles(host_config, "BlkioWeightDevice", "Weight"),
            read_bps=_throttles(host_config, "BlkioDeviceReadBps"),
            write_bps=_throttles(host_config, "BlkioDeviceWriteBps"),
            read_iops=_throttles(host_config, "BlkioDeviceReadIOps"),
            write_iops=_throttles(host_config, "BlkioDeviceWriteIOps"),
            devices=None if get("Privileged") else rules(host_config),
        )


def _cpu_time(host_config: Mapping[str, Any]) -> tuple[int, int]:
    nano = host_config.get("NanoCpus") or 0
    if nano > 0:
        return CPU_PERIOD, nano * CPU_PERIOD // 10**9
    return host_config.get("CpuPeriod") or 0, host_config.get("CpuQuota") or 0


def _throttles(host_config: Mapping[str, Any], field: str, value: str = "Rate") -> tuple[Throttle, ...]:
    return tuple(Throttle(_block_device(each["Path"]), each[value]) for each in host_config.get(field) or ())


def _block_device(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError as error:
        raise InvalidArgument(f"lstat {path}: {(error.strerror or '').lower()}") from error
    if not stat.S_ISBLK(found.st_mode):
        raise InvalidArgument(f"{path} is not a block device")
    return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
