"""Limits: memory, cpu, block input/output, processes, ulimits, devices."""

from __future__ import annotations

import re

from engine.containers.config.objects import Resources, Ulimit
from engine.errors import InvalidArgument, Unsupported
from engine.kernel.cgroups import Rule

MEMORY_MINIMUM = 6 * 1024**2
UNLIMITED = -1  # of PidsLimit in an update, where 0 would mean "as it is"
SHM_DEFAULT = 64 * 1024**2
OOM_WARNING = (
    "OOM killer is disabled for the container, but no memory limit is set, "
    "this can result in the system running out of resources."
)
ULIMITS = frozenset({
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
})  # fmt: skip


def normalise(resources: Resources, cpus: int, *, update: bool = False) -> list[str]:
    """Check the resource fields of a complete HostConfig, replace the client's ways to say "unset", return warnings.

    ``cpus`` is the number of CPUs online. With ``update`` a zero means "leave as it is", so no rule needs two fields.
    """
    _memory(resources, update)
    _cpu(resources, cpus)
    _cpusets(resources)
    _block_io(resources)
    _devices(resources)
    _ulimits(resources["Ulimits"] or [])
    return _oom_warning(resources)


def _memory(resources: Resources, update: bool) -> None:
    memory, swap, reservation = resources["Memory"], resources["MemorySwap"], resources["MemoryReservation"]
    if memory != 0 and memory < MEMORY_MINIMUM:
        raise InvalidArgument("Minimum memory limit allowed is 6MB")
    if memory > 0 and 0 < swap < memory:
        raise InvalidArgument("Minimum memoryswap limit should be larger than memory limit, see usage")
    if memory == 0 and swap > 0 and not update:
        raise InvalidArgument("You should always set the Memory limit when using Memoryswap limit, see usage")
    if swap < -1:
        raise InvalidArgument("Minimum memoryswap limit should be larger than memory limit, see usage")
    if reservation != 0 and reservation < MEMORY_MINIMUM:
        raise InvalidArgument("Minimum memory reservation allowed is 6MB")
    if memory > 0 and reservation > memory:
        raise InvalidArgument("Minimum memory limit can not be less than memory reservation limit, see usage")
    if memory > 0 and swap == 0 and not update:
        resources["MemorySwap"] = 2 * memory
    _swappiness(resources)
    if resources["PidsLimit"] is not None and resources["PidsLimit"] <= 0:
        resources["PidsLimit"] = UNLIMITED if update else None


def _swappiness(resources: Resources) -> None:
    swappiness = resources["MemorySwappiness"]
    if swappiness == -1:
        resources["MemorySwappiness"] = None
    elif swappiness is not None and not 0 <= swappiness <= 100:
        raise InvalidArgument(f"Invalid value: {swappiness}, valid memory swappiness range is 0-100")


def _cpu(resources: Resources, cpus: int) -> None:
    nano, period = resources["NanoCpus"], resources["CpuPeriod"]
    quota, shares = resources["CpuQuota"], resources["CpuShares"]
    if nano > 0 and period > 0:
        raise InvalidArgument("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if nano > 0 and quota > 0:
        raise InvalidArgument("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if not 0 <= nano <= cpus * 10**9:
        raise InvalidArgument(f"range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available")
    if period != 0 and not 1000 <= period <= 1_000_000:
        raise InvalidArgument("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < quota < 1000:
        raise InvalidArgument("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if shares < 0:
        raise InvalidArgument(f"invalid CPU shares ({shares}): value must be a positive integer")
    if resources["CpuRealtimePeriod"] or resources["CpuRealtimeRuntime"]:
        raise InvalidArgument("Your kernel does not support CPU real-time scheduler")
    if resources["IOMaximumIOps"] or resources["IOMaximumBandwidth"]:
        raise InvalidArgument("Invalid QoS settings: Linux does not support Maximum IO Bandwidth")


def parse_cpuset(text: str) -> set[int]:
    """``0-2,4`` → {0, 1, 2, 4}; ValueError for anything else or a number above 8192 (the kernel's NR_CPUS)."""
    numbers: set[int] = set()
    for part in filter(None, text.split(",")):
        if not re.fullmatch(r"\d{1,4}(-\d{1,4})?", part, re.ASCII):
            raise ValueError(text)
        low, _, high = part.partition("-")
        if int(high or low) > 8192 or int(high or low) < int(low):
            raise ValueError(text)
        numbers.update(range(int(low), int(high or low) + 1))
    return numbers


def _cpusets(resources: Resources) -> None:
    for text, kind in ((resources["CpusetCpus"], "cpus"), (resources["CpusetMems"], "mems")):
        try:
            parse_cpuset(text)
        except ValueError:
            raise InvalidArgument(f"Invalid value {text} for cpuset {kind}") from None


def check_available(resources: Resources, cpus: set[int], memory_nodes: set[int]) -> None:
    """Compare cpusets with what this host has; separate because it needs the host's state."""
    wanted_cpus, wanted_nodes = resources["CpusetCpus"], resources["CpusetMems"]
    for text, have, what in ((wanted_cpus, cpus, "CPUs"), (wanted_nodes, memory_nodes, "memory nodes")):
        if not parse_cpuset(text) <= have:
            available = ",".join(str(each) for each in sorted(have))
            raise InvalidArgument(f"Requested {what} are not available - requested {text}, available: {available}")


def _block_io(resources: Resources) -> None:
    weights = [resources["BlkioWeight"], *(each["Weight"] for each in resources["BlkioWeightDevice"] or [])]
    if any(weight and not 10 <= weight <= 1000 for weight in weights):
        raise InvalidArgument("Range of blkio weight is from 10 to 1000")


def _devices(resources: Resources) -> None:
    for device in resources["Devices"] or []:
        permissions = device["CgroupPermissions"]
        if not re.fullmatch(r"[rwm]{0,3}", permissions):
            raise InvalidArgument(f"invalid device mode: {permissions}")
        if not device["PathOnHost"].startswith("/"):
            raise InvalidArgument(f"invalid device path: {device['PathOnHost']!r} is not an absolute path")
        device["PathInContainer"] = device["PathInContainer"] or device["PathOnHost"]
        device["CgroupPermissions"] = permissions or "rwm"
    for rule in resources["DeviceCgroupRules"] or []:
        Rule.parse(rule)
    for request in resources["DeviceRequests"] or []:
        wanted = " ".join(f"[{' '.join(group)}]" for group in request["Capabilities"] or [])
        raise InvalidArgument(f'could not select device driver "{request["Driver"]}" with capabilities: [{wanted}]')
    if resources["CgroupParent"]:
        raise Unsupported("muelle does not place containers below another cgroup parent yet")


def _ulimits(ulimits: list[Ulimit]) -> None:
    for limit in ulimits:
        name, soft, hard = limit["Name"], limit["Soft"], limit["Hard"]
        if name not in ULIMITS:
            raise InvalidArgument(f"invalid ulimit type: {name}")
        if hard != -1 and (soft == -1 or soft > hard):
            raise InvalidArgument(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")


def _oom_warning(resources: Resources) -> list[str]:
    if resources["OomKillDisable"] and not resources["Memory"]:
        return [OOM_WARNING]
    return []
