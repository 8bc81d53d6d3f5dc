"""Facts about this machine, for ``/info``, ``/version`` and the rules of create."""

from __future__ import annotations

import functools
import os
import platform
import re
from pathlib import Path

from engine.containers.config import Host
from engine.containers.config import resources as config_resources
from engine.containers.config.objects import Resources

# Go's names of architectures, which the API uses, by the kernel's.
GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
V1_CONTROLLERS = Path("/proc/cgroups")
CPUS = Path("/sys/devices/system/cpu/online")
MEMORY_NODES = Path("/sys/devices/system/node/online")
UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers")


@functools.cache
def limits() -> Host:
    """What the rules of create must know."""
    return Host(os.cpu_count() or 1, UNIFIED.exists())


def architecture() -> str:
    machine = platform.machine()
    return GO_ARCHITECTURES.get(machine, machine)


@functools.cache
def operating_system() -> tuple[str, str]:
    """("Debian GNU/Linux 12 (bookworm)", "12")."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "Linux", ""
    return release.get("PRETTY_NAME", "Linux"), release.get("VERSION_ID", "")


@functools.cache
def memory() -> int:
    """Bytes of memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@functools.cache
def controllers() -> frozenset[str]:
    """Names of the cgroup controllers that the kernel has switched on."""
    if UNIFIED.exists():
        return frozenset(UNIFIED.read_text().split())
    lines = V1_CONTROLLERS.read_text().splitlines() if V1_CONTROLLERS.exists() else []
    return frozenset(line.split()[0] for line in lines[1:] if line.split()[-1] == "1")


def swap_accounting() -> bool:
    """Whether swap can be limited; the web process cannot see every v1 file, so the mount point is enough."""
    return UNIFIED.exists() or Path("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").exists()


def forwarding() -> bool:
    try:
        return Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1"
    except OSError:
        return False


def backing_filesystem(path: Path) -> str:
    """The type of the file system below ``path`` from /proc/self/mountinfo (proc_pid_mountinfo(5))."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount_point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), line.split()[4])
        if len(mount_point) >= len(best) and Path(path).is_relative_to(mount_point):
            best, kind = mount_point, line.partition(" - ")[2].split()[0]
    return "extfs" if kind.startswith("ext") else kind


def check_available(resources: Resources) -> None:
    """Raise InvalidArgument when a cpuset names CPUs or memory nodes that are not online."""
    if resources["CpusetCpus"] or resources["CpusetMems"]:
        config_resources.check_available(resources, _online(CPUS), _online(MEMORY_NODES))


def _online(path: Path) -> set[int]:
    try:
        return config_resources.parse_cpuset(path.read_text().strip())
    except (OSError, ValueError):
        return {0}
