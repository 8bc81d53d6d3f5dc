"""Control groups: limits, freezing and accounting of a container; cgroups(7).

Version 1 and 2 of the kernel's interface look the same from outside this package. On a hybrid host, where the v2 tree
has no controllers, v1 is used.
"""

# Paths are plain strings because this runs on every start of a container.
# ruff: noqa: PTH110

from __future__ import annotations

import functools
import os

from . import v1
from .devices import Rule
from .resources import CPU_PERIOD, Resources, Throttle
from .v1 import CgroupV1
from .v2 import CgroupV2
from .warnings import warnings

__all__ = ["CPU_PERIOD", "ROOT", "Cgroup", "Resources", "Rule", "Throttle", "hierarchies", "version"]

ROOT = "/sys/fs/cgroup"


@functools.cache
def version(root: str = ROOT) -> int:
    """1 or 2. The root of a v2 tree has cgroup.controllers; a hybrid host's has directories only."""
    return 2 if os.path.exists(f"{root}/cgroup.controllers") else 1


def hierarchies(root: str = ROOT) -> list[tuple[str, str, str]]:
    """The trees to mount inside a container: directory name (empty for v2's only one), file system type, options."""
    return [("", "cgroup2", "")] if version(root) == 2 else v1.hierarchies(root)


class Cgroup:
    """The cgroup of one container. ``path`` is its place below each tree: ``/muelle/<container id>``.

    Making the object touches nothing. Failures of the kernel raise SystemFailure.
    """

    def __init__(self, path: str, root: str = ROOT) -> None:
        self._version = CgroupV2(path, root) if version(root) == 2 else CgroupV1(path, root)

    def create(self) -> None:
        """Make it anew and empty; what an earlier run left at this path is removed. Undone on failure."""
        self._version.create()

    def apply(self, resources: Resources) -> None:
        """Set limits and device rules of a new cgroup. What the kernel lacks is left out, see `unsupported`."""
        self._version.limit(resources)
        self._version.allow_devices(resources)

    def update(self, resources: Resources) -> None:
        """Change limits while processes run; fields at their default and device rules stay as they are."""
        self._version.limit(resources)

    def unsupported(self, resources: Resources) -> list[str]:
        """Docker's warning texts for limits that this kernel cannot set. The cgroup itself need not exist."""
        return warnings(resources, self._version.features())

    def join_paths(self) -> list[str]:
        """The files to which a single-threaded child writes "0" in order to enter, in any order."""
        return self._version.join_paths()

    def freeze(self) -> None:
        """Stop all processes; returns when they stand still."""
        self._version.freeze()

    def thaw(self) -> None:
        self._version.thaw()

    def pids(self) -> list[int]:
        """Processes in it and below it, as this process numbers them; empty when it does not exist."""
        return self._version.pids()

    def processes_path(self) -> str:
        """The file that lists its processes."""
        return self._version.processes_path()

    def oom_path(self) -> str:
        """The file whose line ``oom_kill N`` counts kills for want of memory."""
        return self._version.oom_path()

    def oom_kills(self) -> int:
        """How many of its processes the kernel has killed for want of memory; 0 when it does not exist."""
        return self._version.oom_kills()

    def delete(self) -> None:
        """Remove it when its processes are gone; kills nothing. One that does not exist is fine."""
        self._version.delete()
