"""One sample of what a container uses, in the form of Docker's ``GET /containers/{id}/stats``.

Everything is read from files that any user may read: cgroup accounting, /proc/stat, /proc/meminfo and the statistics of
the host's end of a veth pair, whose receive is the container's transmit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from engine import rfc3339
from engine.containers.counters import total_memory
from engine.errors import NotFound
from engine.kernel.cgroups import ROOT, files, version

Sample = dict[str, Any]

_TICK = 10**9 // os.sysconf("SC_CLK_TCK")  # nanoseconds
_BLOCK_FIELDS = (
    "io_service_bytes_recursive", "io_serviced_recursive", "io_queue_recursive", "io_service_time_recursive",
    "io_wait_time_recursive", "io_merged_recursive", "io_time_recursive", "sectors_recursive",
)  # fmt: skip
_NETWORK_FIELDS = ("bytes", "packets", "errors", "dropped")


def read(path: str, interfaces: Mapping[str, str] | None = None, root: str = ROOT) -> Sample:
    """Take a sample of the cgroup ``path`` (see `engine.kernel.cgroups.Cgroup`).

    ``interfaces`` maps names inside the container to the host's ends: ``{"eth0": "veth1a2b"}``. Times are nanoseconds,
    sizes bytes. Raises NotFound when the cgroup is not there.
    """
    sample = _version_two(root + path) if version(root) == 2 else _version_one(root, path)
    sample |= {"read": rfc3339.render_fixed(time.time_ns()), "num_procs": 0, "storage_stats": {}}
    sample["cpu_stats"] |= _system()
    if interfaces:
        sample["networks"] = {name: _interface(host) for name, host in interfaces.items()}
    return sample


def document(container_id: str, name: str, current: Sample, previous: Sample | None) -> Sample:
    """A complete reply. ``previous`` is the sample before, from which clients compute the load; None for the first."""
    return {
        "name": f"/{name}",
        "id": container_id,
        **current,
        "preread": previous["read"] if previous else rfc3339.ZERO,
        "precpu_stats": previous["cpu_stats"] if previous else _no_cpu(),
    }


def stopped(container_id: str, name: str) -> Sample:
    """What Docker answers for a container that does not run."""
    return {
        "name": f"/{name}",
        "id": container_id,
        "read": rfc3339.ZERO,
        "preread": rfc3339.ZERO,
        "pids_stats": {},
        "blkio_stats": dict.fromkeys(_BLOCK_FIELDS),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _no_cpu(),
        "precpu_stats": _no_cpu(),
        "memory_stats": {},
    }


def _no_cpu() -> Sample:
    return {
        "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }


def _version_one(root: str, path: str) -> Sample:
    memory, cpu, account = f"{root}/memory{path}", f"{root}/cpu{path}", f"{root}/cpuacct{path}"
    usage = files.read(memory, "memory.usage_in_bytes")
    if not usage:
        raise NotFound(f"no cgroup {path}")
    ticks, throttled = _keyed(account, "cpuacct.stat"), _keyed(cpu, "cpu.stat")
    return {
        "pids_stats": _pids(f"{root}/pids{path}"),
        "blkio_stats": _block_one(f"{root}/blkio{path}"),
        "cpu_stats": {
            "cpu_usage": {
                "total_usage": _number(account, "cpuacct.usage"),
                "percpu_usage": [int(each) for each in files.read(account, "cpuacct.usage_percpu").split()],
                "usage_in_kernelmode": ticks.get("system", 0) * _TICK,
                "usage_in_usermode": ticks.get("user", 0) * _TICK,
            },
            "throttling_data": _throttling(throttled, throttled.get("throttled_time", 0)),
        },
        "memory_stats": {
            "usage": int(usage),
            "max_usage": _number(memory, "memory.max_usage_in_bytes"),
            "stats": _keyed(memory, "memory.stat"),
            "failcnt": _number(memory, "memory.failcnt"),
            "limit": min(_number(memory, "memory.limit_in_bytes"), total_memory()),
        },
    }


def _version_two(directory: str) -> Sample:
    if not files.has(directory, "cgroup.procs"):
        raise NotFound(f"no cgroup {directory}")
    cpu = _keyed(directory, "cpu.stat")
    return {
        "pids_stats": _pids(directory),
        "blkio_stats": _block_two(directory),
        "cpu_stats": {
            "cpu_usage": {
                "total_usage": cpu.get("usage_usec", 0) * 1000,
                "usage_in_kernelmode": cpu.get("system_usec", 0) * 1000,
                "usage_in_usermode": cpu.get("user_usec", 0) * 1000,
            },
            "throttling_data": _throttling(cpu, cpu.get("throttled_usec", 0) * 1000),
        },
        "memory_stats": {
            "usage": _number(directory, "memory.current"),
            "stats": _keyed(directory, "memory.stat"),
            "failcnt": _keyed(directory, "memory.events").get("oom", 0),
            "limit": min(_number(directory, "memory.max") or total_memory(), total_memory()),
        },
    }


def _throttling(cpu: dict[str, int], nanoseconds: int) -> dict[str, int]:
    return {
        "periods": cpu.get("nr_periods", 0),
        "throttled_periods": cpu.get("nr_throttled", 0),
        "throttled_time": nanoseconds,
    }


def _pids(directory: str) -> dict[str, int]:
    limit = _number(directory, "pids.max")
    return {"current": _number(directory, "pids.current")} | ({"limit": limit} if limit else {})


def _block_one(directory: str) -> dict[str, list[Sample] | None]:
    """BFQ counts for its own devices only; where it has counted nothing the throttling layer has."""
    found: dict[str, list[Sample] | None] = {field: [] for field in _BLOCK_FIELDS}
    for field in ("io_service_bytes_recursive", "io_serviced_recursive"):
        for layer in ("bfq", "throttle"):
            entries = _operations(files.read(directory, f"blkio.{layer}.{field}"))
            if entries:
                found[field] = entries
                break
    return found


def _operations(text: str) -> list[Sample]:
    """Lines ``8:0 Read 4096``; the sum at the end has no device."""
    entries = []
    for line in text.splitlines():
        device, _, rest = line.partition(" ")
        operation, _, value = rest.partition(" ")
        if value:
            major, _, minor = device.partition(":")
            entries.append({"major": int(major), "minor": int(minor), "op": operation, "value": int(value)})
    return entries


def _block_two(directory: str) -> dict[str, list[Sample] | None]:
    """Lines ``8:0 rbytes=4096 wbytes=0 rios=1 wios=0``."""
    found: dict[str, list[Sample] | None] = dict.fromkeys(_BLOCK_FIELDS)
    entries = []
    for line in files.read(directory, "io.stat").splitlines():
        device, *pairs = line.split()
        major, _, minor = device.partition(":")
        counts = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        for operation, key in (("read", "rbytes"), ("write", "wbytes")):
            if key in counts:
                entry = {"major": int(major), "minor": int(minor), "op": operation, "value": int(counts[key])}
                entries.append(entry)
    found["io_service_bytes_recursive"] = entries
    return found


def _interface(host: str) -> dict[str, int]:
    directory = f"/sys/class/net/{host}/statistics"
    seen = {"rx": "tx", "tx": "rx"}
    return {
        f"{inside}_{field}": _number(directory, f"{outside}_{field}")
        for inside, outside in seen.items()
        for field in _NETWORK_FIELDS
    }


def _system() -> dict[str, int]:
    """Time that all processors have spent since boot, idle or not, and how many there are; proc_stat(5)."""
    text = files.read("/proc", "stat")
    # The first line, ``cpu``, is the sum of the others.
    first = text[: text.index("\n")].split()
    return {"system_cpu_usage": sum(map(int, first[1:8])) * _TICK, "online_cpus": text.count("\ncpu")}


def _number(directory: str, name: str) -> int:
    """A file with one number; 0 for ``max`` and for a file that is not there."""
    text = files.read(directory, name)
    return int(text) if text.isdecimal() else 0


def _keyed(directory: str, name: str) -> dict[str, int]:
    pairs = (line.split() for line in files.read(directory, name).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
