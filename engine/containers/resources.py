"""From the resources of a HostConfig to the limits of a cgroup, freed of Docker's several ways to say the same."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from engine.containers import devices
from engine.containers.config.objects import HostConfig, ThrottleDevice, WeightDevice
from engine.errors import InvalidArgument
from engine.kernel.cgroups import CPU_PERIOD, Resources, Throttle


def limits(host_config: HostConfig) -> Resources:
    """What the container's cgroup limits. Raises InvalidArgument for a device that is not there."""
    period, quota = _cpu_time(host_config)
    return Resources(
        memory=host_config["Memory"],
        memory_swap=host_config["MemorySwap"],
        memory_reservation=host_config["MemoryReservation"],
        memory_swappiness=host_config["MemorySwappiness"],
        oom_kill_disable=bool(host_config["OomKillDisable"]),
        cpu_period=period,
        cpu_quota=quota,
        cpu_shares=host_config["CpuShares"],
        cpuset_cpus=host_config["CpusetCpus"],
        cpuset_mems=host_config["CpusetMems"],
        pids_limit=host_config["PidsLimit"] or 0,
        blkio_weight=host_config["BlkioWeight"],
        blkio_weight_device=tuple(_weights(host_config["BlkioWeightDevice"])),
        read_bps=tuple(_rates(host_config["BlkioDeviceReadBps"])),
        write_bps=tuple(_rates(host_config["BlkioDeviceWriteBps"])),
        read_iops=tuple(_rates(host_config["BlkioDeviceReadIOps"])),
        write_iops=tuple(_rates(host_config["BlkioDeviceWriteIOps"])),
        devices=devices.rules(host_config),
    )


def _cpu_time(host_config: HostConfig) -> tuple[int, int]:
    """Period and quota in microseconds."""
    if host_config["NanoCpus"] > 0:
        return CPU_PERIOD, host_config["NanoCpus"] * CPU_PERIOD // 10**9
    return host_config["CpuPeriod"], host_config["CpuQuota"]


def _weights(wanted: list[WeightDevice] | None) -> Iterator[Throttle]:
    return (Throttle(_block_device(each["Path"]), each["Weight"]) for each in wanted or ())


def _rates(wanted: list[ThrottleDevice] | None) -> Iterator[Throttle]:
    return (Throttle(_block_device(each["Path"]), each["Rate"]) for each in wanted or ())


def _block_device(path: str) -> str:
    """``major:minor``."""
    try:
        found = os.stat(path)  # noqa: PTH116 -- a text is what Docker's object has
    except OSError as error:
        raise InvalidArgument(f"lstat {path}: {(error.strerror or '').lower()}") from error
    if not stat.S_ISBLK(found.st_mode):
        raise InvalidArgument(f"{path} is not a block device")
    return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
