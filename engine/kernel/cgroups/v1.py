"""cgroup v1: one tree per controller. Documentation/admin-guide/cgroup-v1/ of the kernel.

A container's directory is made in every tree that is mounted. The parent of all containers has its cpuset filled in
once and ``cgroup.clone_children`` set, so that a new cpuset needs no writes at all.
"""

# Paths are plain strings because this runs on every start of a container.
# ruff: noqa: PTH102, PTH103, PTH110, PTH112, PTH119, PTH208

from __future__ import annotations

import contextlib
import functools
import os
from typing import TYPE_CHECKING

from . import files

if TYPE_CHECKING:
    from .resources import Resources, Throttle

CONTROLLERS = (
    "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "net_cls", "net_prio", "perf_event",
    "hugetlb", "rdma", "misc",
)  # fmt: skip

_FEATURES = {
    "memory": ("memory", ("memory.limit_in_bytes",)),
    "swap": ("memory", ("memory.memsw.limit_in_bytes",)),
    "reservation": ("memory", ("memory.soft_limit_in_bytes",)),
    "swappiness": ("memory", ("memory.swappiness",)),
    "oom": ("memory", ("memory.oom_control",)),
    "cpu": ("cpu", ("cpu.cfs_quota_us",)),
    "shares": ("cpu", ("cpu.shares",)),
    "cpuset": ("cpuset", ("cpuset.cpus",)),
    "pids": ("pids", ("pids.max",)),
    "weight": ("blkio", ("blkio.weight", "blkio.bfq.weight")),
    "weight_device": ("blkio", ("blkio.weight_device",)),
    "throttle": ("blkio", ("blkio.throttle.read_bps_device",)),
}


@functools.cache
def _trees(root: str) -> dict[str, str]:
    """Controller → directory, for what is mounted; comounted controllers share one directory (cpu,cpuacct).

    Hierarchies without a controller are there by their name (systemd). None is left out: in one where a container had
    no directory of its own it would be in the root, with the host's release_agent (decision 21).
    """
    trees = {name: os.path.realpath(f"{root}/{name}") for name in CONTROLLERS if os.path.isdir(f"{root}/{name}")}
    named = [name for name in os.listdir(root) if os.path.exists(f"{root}/{name}/release_agent")]
    return trees | {
        name: f"{root}/{name}" for name in named if os.path.realpath(f"{root}/{name}") not in trees.values()
    }


def hierarchies(root: str) -> list[tuple[str, str, str]]:
    """What a container mounts to see its own cgroups: directory name, file system type and options of each tree."""
    by_tree: dict[str, list[str]] = {}
    for name, tree in _trees(root).items():
        by_tree.setdefault(tree, []).append(name)
    return [(os.path.basename(tree), "cgroup", _options(names)) for tree, names in by_tree.items()]


def _options(names: list[str]) -> str:
    return ",".join(name if name in CONTROLLERS else f"none,name={name}" for name in names)


@functools.cache
def _prepare(root: str, parent: str) -> None:
    """Make the directories above a container's, once per process; doing it again changes nothing."""
    for tree in set(_trees(root).values()):
        os.makedirs(tree + parent, exist_ok=True)
    above = _trees(root).get("cpuset")
    if above is None:
        return
    for part in parent.strip("/").split("/"):
        below = f"{above}/{part}"
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not files.read(below, name):
                files.write(below, name, files.read(above, name))
        files.write(below, "cgroup.clone_children", "1")
        above = below


class CgroupV1:
    """See `engine.kernel.cgroups.Cgroup`."""

    def __init__(self, path: str, root: str) -> None:
        self._root, self._path = root, path
        self._of = {name: tree + path for name, tree in _trees(root).items()}
        self._directories = sorted(set(self._of.values()))

    def create(self) -> None:
        parent = self._path.rpartition("/")[0]
        _prepare(self._root, parent)
        with contextlib.ExitStack() as undo:
            for directory in self._directories:
                self._make(directory, parent)
                undo.callback(files.remove, directory)
            undo.pop_all()

    def _make(self, directory: str, parent: str) -> None:
        try:
            os.mkdir(directory)
        except FileExistsError:  # left by an earlier run, with its limits
            files.remove(directory)
            os.mkdir(directory)
        except FileNotFoundError:  # somebody removed the parent
            _prepare.cache_clear()
            _prepare(self._root, parent)
            os.mkdir(directory)

    def join_paths(self) -> list[str]:
        # A thread that moves itself by `tasks` takes no lock of the whole system; `cgroup.procs` would.
        return [f"{directory}/tasks" for directory in self._directories]

    def pids(self) -> list[int]:
        return files.processes(self._directories[0]) if self._directories else []

    def delete(self) -> None:
        for directory in self._directories:
            files.remove(directory)

    def processes_path(self) -> str:
        return f"{next(iter(self._of.values()), '')}/cgroup.procs"

    def oom_path(self) -> str:
        return f"{self._of.get('memory', '')}/memory.oom_control"

    def oom_kills(self) -> int:
        return files.counter(files.read(self._of.get("memory", ""), "memory.oom_control"), "oom_kill")

    def freeze(self) -> None:
        directory = self._of.get("freezer", "")
        files.write(directory, "freezer.state", "FROZEN")
        # FREEZING may last for as long as a process forks; asking again makes the kernel look again.
        files.wait_until(functools.partial(_is_frozen, directory), "unable to freeze")

    def thaw(self) -> None:
        files.write(self._of.get("freezer", ""), "freezer.state", "THAWED")

    def allow_devices(self, resources: Resources) -> None:
        directory = self._of.get("devices")
        if directory and resources.devices is not None:
            files.write(directory, "devices.deny", "a")
            files.write(directory, "devices.allow", *map(str, resources.devices))

    def limit(self, resources: Resources) -> None:
        """Write what ``resources`` sets and the kernel supports."""
        self._memory(resources)
        self._cpu(resources)
        self._block_io(resources)
        if resources.pids_limit and "pids" in self._of:
            files.write(self._of["pids"], "pids.max", _or_max(resources.pids_limit))

    def _memory(self, resources: Resources) -> None:
        directory = self._of.get("memory")
        if not directory:
            return
        self._memory_limits(directory, resources)
        if resources.memory_reservation:
            files.write(directory, "memory.soft_limit_in_bytes", str(resources.memory_reservation))
        if resources.memory_swappiness is not None and files.has(directory, "memory.swappiness"):
            files.write(directory, "memory.swappiness", str(resources.memory_swappiness))
        if resources.oom_kill_disable:
            files.write(directory, "memory.oom_control", "1")

    @staticmethod
    def _memory_limits(directory: str, resources: Resources) -> None:
        """The limit may never exceed the one with swap, not even between two writes: a growing pair goes backwards."""
        pair = []
        if resources.memory:
            pair.append(("memory.limit_in_bytes", resources.memory))
        if resources.memory_swap and files.has(directory, "memory.memsw.limit_in_bytes"):
            pair.append(("memory.memsw.limit_in_bytes", resources.memory_swap))
            now = int(files.read(directory, "memory.memsw.limit_in_bytes") or 0)
            if resources.memory_swap == -1 or resources.memory > now:
                pair.reverse()
        for name, value in pair:
            files.write(directory, name, str(value))

    def _cpu(self, resources: Resources) -> None:
        if "cpu" in self._of:
            directory = self._of["cpu"]
            if resources.cpu_shares:
                files.write(directory, "cpu.shares", str(resources.cpu_shares))
            if resources.cpu_period:
                files.write(directory, "cpu.cfs_period_us", str(resources.cpu_period))
            if resources.cpu_quota:
                files.write(directory, "cpu.cfs_quota_us", str(resources.cpu_quota))
        if "cpuset" in self._of:
            if resources.cpuset_cpus:
                files.write(self._of["cpuset"], "cpuset.cpus", resources.cpuset_cpus)
            if resources.cpuset_mems:
                files.write(self._of["cpuset"], "cpuset.mems", resources.cpuset_mems)

    def _block_io(self, resources: Resources) -> None:
        directory = self._of.get("blkio")
        if not directory:
            return
        weight = self._weight_file()
        if weight and resources.blkio_weight:
            files.write(directory, weight, str(resources.blkio_weight))
        if files.has(directory, "blkio.weight_device") and resources.blkio_weight_device:
            files.write(directory, "blkio.weight_device", *map(_pair, resources.blkio_weight_device))
        for name, throttles in (
            ("read_bps", resources.read_bps),
            ("write_bps", resources.write_bps),
            ("read_iops", resources.read_iops),
            ("write_iops", resources.write_iops),
        ):
            if throttles:
                files.write(directory, f"blkio.throttle.{name}_device", *map(_pair, throttles))

    def _weight_file(self) -> str | None:
        """blkio.weight came with the CFQ scheduler and went with it; BFQ has its own."""
        for name in ("blkio.weight", "blkio.bfq.weight"):
            if files.has(self._of.get("blkio", ""), name):
                return name
        return None

    def features(self) -> frozenset[str]:
        """What can be limited here, by the names of `engine.kernel.cgroups.warnings`."""
        trees, parent = _trees(self._root), self._path.rpartition("/")[0]
        _prepare(self._root, parent)
        return frozenset(
            feature
            for feature, (controller, names) in _FEATURES.items()
            if controller in trees and any(files.has(trees[controller] + parent, name) for name in names)
        )


def _is_frozen(directory: str) -> bool:
    if files.read(directory, "freezer.state") == "FROZEN":
        return True
    files.write(directory, "freezer.state", "FROZEN")
    return False


def _or_max(limit: int) -> str:
    return "max" if limit < 0 else str(limit)


def _pair(throttle: Throttle) -> str:
    return f"{throttle.device} {throttle.value}"
