"""cgroup v2: one tree for all controllers. Documentation/admin-guide/cgroup-v2.rst of the kernel."""

# Paths are plain strings because this runs on every start of a container.
# ruff: noqa: PTH102, PTH103

from __future__ import annotations

import contextlib
import functools
import os

from engine.errors import SystemFailure

from . import files
from .devices import program
from .resources import CPU_PERIOD, Resources, Throttle

CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids")


@functools.cache
def _prepare(root: str, parent: str) -> None:
    """Make the directories above a container's and hand the controllers down, once per process.

    A controller that cannot be handed down (below a cgroup that holds processes, say) is one that is not there: the
    limits that need it are discarded with a warning.
    """
    directory = root
    for part in ("", *parent.strip("/").split("/")):
        directory = f"{directory}/{part}" if part else directory
        os.makedirs(directory, exist_ok=True)
        available = set(files.read(directory, "cgroup.controllers").split())
        enabled = set(files.read(directory, "cgroup.subtree_control").split())
        for controller in CONTROLLERS:
            if controller in available - enabled:
                with contextlib.suppress(SystemFailure):
                    files.write(directory, "cgroup.subtree_control", f"+{controller}")


class CgroupV2:
    """See `engine.kernel.cgroups.Cgroup`."""

    def __init__(self, path: str, root: str) -> None:
        self._root, self._path, self._directory = root, path, root + path

    def create(self) -> None:
        parent = self._path.rpartition("/")[0]
        _prepare(self._root, parent)
        try:
            os.mkdir(self._directory)
        except FileExistsError:  # left by an earlier run, with its limits and its device program
            files.remove(self._directory)
            os.mkdir(self._directory)
        except FileNotFoundError:  # somebody removed the parent
            _prepare.cache_clear()
            _prepare(self._root, parent)
            os.mkdir(self._directory)

    def join_paths(self) -> list[str]:
        return [f"{self._directory}/cgroup.procs"]

    def pids(self) -> list[int]:
        return files.processes(self._directory)

    def delete(self) -> None:
        files.remove(self._directory)

    def processes_path(self) -> str:
        return f"{self._directory}/cgroup.procs"

    def oom_path(self) -> str:
        return f"{self._directory}/memory.events"

    def oom_kills(self) -> int:
        return files.counter(files.read(self._directory, "memory.events"), "oom_kill")

    def freeze(self) -> None:
        files.write(self._directory, "cgroup.freeze", "1")
        files.wait_until(self._is_frozen, "unable to freeze")

    def _is_frozen(self) -> bool:
        return files.counter(files.read(self._directory, "cgroup.events"), "frozen") == 1

    def thaw(self) -> None:
        files.write(self._directory, "cgroup.freeze", "0")

    def allow_devices(self, resources: Resources) -> None:
        if resources.devices is None:
            return
        from . import bpf  # loaded where it is needed: v1 hosts never do

        try:
            bpf.attach(self._directory, program(resources.devices))
        except OSError as error:
            raise SystemFailure(
                f"bpf_prog_attach (BPF_CGROUP_DEVICE) failed: {(error.strerror or '').lower()}"
            ) from error

    def limit(self, resources: Resources) -> None:
        """Write what ``resources`` sets and the kernel supports."""
        self._memory(resources)
        self._cpu(resources)
        self._block_io(resources)
        if resources.pids_limit:
            self._write("pids.max", _or_max(resources.pids_limit))

    def _write(self, name: str, *values: str) -> None:
        """A file that is missing belongs to a controller that is not handed down."""
        if values and files.has(self._directory, name):
            files.write(self._directory, name, *values)

    def _memory(self, resources: Resources) -> None:
        if resources.memory:
            self._write("memory.max", _or_max(resources.memory))
        if resources.memory_swap:
            # Docker counts memory and swap together, v2 counts swap alone.
            swap = resources.memory_swap - resources.memory if resources.memory_swap > 0 else -1
            self._write("memory.swap.max", _or_max(swap))
        if resources.memory_reservation:
            self._write("memory.low", str(resources.memory_reservation))

    def _cpu(self, resources: Resources) -> None:
        if resources.cpu_shares:
            self._write("cpu.weight", str(_weight_of_shares(resources.cpu_shares)))
        if resources.cpu_quota or resources.cpu_period:
            quota = str(resources.cpu_quota) if resources.cpu_quota > 0 else "max"
            self._write("cpu.max", f"{quota} {resources.cpu_period or CPU_PERIOD}")
        if resources.cpuset_cpus:
            self._write("cpuset.cpus", resources.cpuset_cpus)
        if resources.cpuset_mems:
            self._write("cpuset.mems", resources.cpuset_mems)

    def _block_io(self, resources: Resources) -> None:
        if resources.blkio_weight:
            self._write("io.weight", f"default {_weight_of_blkio(resources.blkio_weight)}")
            self._write("io.bfq.weight", str(resources.blkio_weight))
        self._write("io.bfq.weight", *(f"{each.device} {each.value}" for each in resources.blkio_weight_device))
        self._write("io.max", *_throttles("rbps", resources.read_bps))
        self._write("io.max", *_throttles("wbps", resources.write_bps))
        self._write("io.max", *_throttles("riops", resources.read_iops))
        self._write("io.max", *_throttles("wiops", resources.write_iops))

    def features(self) -> frozenset[str]:
        """What can be limited here, by the names of `engine.kernel.cgroups.warnings`."""
        parent = self._path.rpartition("/")[0]
        _prepare(self._root, parent)
        return frozenset(
            feature
            for feature, names in _FEATURES.items()
            if any(files.has(self._root + parent, name) for name in names)
        )


_FEATURES = {
    "memory": ("memory.max",),
    "swap": ("memory.swap.max",),
    "reservation": ("memory.low",),
    "cpu": ("cpu.max",),
    "shares": ("cpu.weight",),
    "cpuset": ("cpuset.cpus",),
    "pids": ("pids.max",),
    "weight": ("io.weight", "io.bfq.weight"),
    "weight_device": ("io.bfq.weight",),
    "throttle": ("io.max",),
}


def _or_max(limit: int) -> str:
    return "max" if limit < 0 else str(limit)


def _throttles(key: str, throttles: tuple[Throttle, ...]) -> list[str]:
    return [f"{each.device} {key}={each.value or 'max'}" for each in throttles]


def _weight_of_shares(shares: int) -> int:
    """Map 2…262144 to 1…10000, as the OCI runtime specification's implementers agreed."""
    return 1 + (min(max(shares, 2), 262144) - 2) * 9999 // 262142


def _weight_of_blkio(weight: int) -> int:
    """Map 10…1000 to 1…10000."""
    return 1 + (weight - 10) * 9999 // 990
