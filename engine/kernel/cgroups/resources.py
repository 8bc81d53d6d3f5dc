"""The limits of one cgroup."""

from __future__ import annotations

from typing import NamedTuple

from .devices import Rule

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
