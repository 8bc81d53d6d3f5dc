"""The mounts of a container, the kernel's own and what users bring, as steps for `engine.containers.shim.rootfs`.

The list of kernel file systems, devices and hidden paths is the OCI runtime specification's default for Linux, with
Docker's choices where it leaves one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import InvalidArgument
from engine.kernel import libc

_HARMLESS = libc.MS_NOSUID | libc.MS_NOEXEC | libc.MS_NODEV
DEFAULT_SHM_SIZE = 64 * 1024 * 1024
MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_CHARACTER = stat.S_IFCHR | 0o666
DEVICES = (
    ("/dev/null", _CHARACTER, 1, 3, 0, 0),
    ("/dev/zero", _CHARACTER, 1, 5, 0, 0),
    ("/dev/full", _CHARACTER, 1, 7, 0, 0),
    ("/dev/random", _CHARACTER, 1, 8, 0, 0),
    ("/dev/urandom", _CHARACTER, 1, 9, 0, 0),
    ("/dev/tty", _CHARACTER, 5, 0, 0, 0),
)
_PROPAGATION = {
    "": libc.MS_PRIVATE | libc.MS_REC,
    "private": libc.MS_PRIVATE,
    "rprivate": libc.MS_PRIVATE | libc.MS_REC,
    "slave": libc.MS_SLAVE,
    "rslave": libc.MS_SLAVE | libc.MS_REC,
    "shared": libc.MS_SHARED,
    "rshared": libc.MS_SHARED | libc.MS_REC,
}
_TMPFS_FLAGS = {
    "ro": (libc.MS_RDONLY, True),
    "rw": (libc.MS_RDONLY, False),
    "nosuid": (libc.MS_NOSUID, True),
    "suid": (libc.MS_NOSUID, False),
    "nodev": (libc.MS_NODEV, True),
    "dev": (libc.MS_NODEV, False),
    "noexec": (libc.MS_NOEXEC, True),
    "exec": (libc.MS_NOEXEC, False),
}
_TMPFS_VALUES = ("size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol", "huge")

Step = dict[str, Any]


class MountPoint(NamedTuple):
    """A mount that a user asked for. ``source`` is a path of the host, empty for tmpfs, to which ``options`` belong."""

    type: str
    source: str
    target: str
    read_only: bool = False
    propagation: str = ""
    options: str = ""
    name: str = ""
    recursive: bool = True

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> MountPoint:
        """From a stored object, which may have more keys."""
        return cls(**{key: value[key] for key in cls._fields if key in value})


def kernel_mounts(*, privileged: bool, shm_size: int, cgroups: Iterable[tuple[str, str, str]]) -> list[Step]:
    """/proc, /dev, /sys and below; ``cgroups`` are (directory name, file system type, options) of each hierarchy."""
    guard = 0 if privileged else libc.MS_RDONLY
    device_flags = libc.MS_NOSUID | libc.MS_STRICTATIME
    pts = "newinstance,ptmxmode=0666,mode=0620,gid=5"
    steps = [
        _step("/proc", "proc", _HARMLESS),
        _step("/dev", "tmpfs", device_flags, "mode=755,size=65536k"),
        _step("/dev/pts", "devpts", libc.MS_NOSUID | libc.MS_NOEXEC, pts),
        _step("/dev/mqueue", "mqueue", _HARMLESS),
        _step("/dev/shm", "tmpfs", _HARMLESS, f"mode=1777,size={shm_size or DEFAULT_SHM_SIZE}"),
        _step("/sys", "sysfs", _HARMLESS | guard),
    ]
    return steps + _cgroup_mounts(list(cgroups), guard)


def _cgroup_mounts(hierarchies: list[tuple[str, str, str]], guard: int) -> list[Step]:
    """One cgroup2 mount, or a tmpfs with a mount for each hierarchy of version 1."""
    if len(hierarchies) == 1 and not hierarchies[0][0]:
        return [_step("/sys/fs/cgroup", "cgroup2", _HARMLESS | guard)]
    steps = [_step("/sys/fs/cgroup", "tmpfs", _HARMLESS, "mode=755,size=64k")] if hierarchies else []
    for name, fstype, options in hierarchies:
        steps.append(_step(f"/sys/fs/cgroup/{name}", fstype, _HARMLESS | guard, options) | {"optional": True})
    return steps


def _step(target: str, fstype: str, flags: int, data: str = "") -> Step:
    return {"source": fstype, "target": target, "type": fstype, "flags": flags, "data": data}


def user_mounts(mounts: Iterable[MountPoint], files: Mapping[str, Path]) -> list[Step]:
    """Steps for a user's mounts and for our own ``files`` (target → host path), outer directories first.

    What a user mounts at the place of one of our files wins.
    """
    wanted = {mount.target: mount for mount in mounts}
    own = {target: MountPoint("bind", str(path), target) for target, path in files.items()}
    ordered = sorted((own | wanted).values(), key=lambda mount: mount.target.rstrip("/").count("/"))
    return [_tmpfs(mount) if mount.type == "tmpfs" else _bind(mount) for mount in ordered]


def _bind(mount: MountPoint) -> Step:
    return {
        "source": mount.source,
        "target": mount.target,
        "read_only": mount.read_only,
        "recursive": mount.recursive,
        "propagation": _PROPAGATION[mount.propagation],
    }


def _tmpfs(mount: MountPoint) -> Step:
    flags, data = _HARMLESS, []
    for option in filter(None, mount.options.split(",")):
        if option in _TMPFS_FLAGS:
            bit, on = _TMPFS_FLAGS[option]
            flags = flags | bit if on else flags & ~bit
        elif option.partition("=")[0] in _TMPFS_VALUES:
            data.append(option)
        elif option != "defaults":
            raise InvalidArgument(f'invalid tmpfs option ["{option}"]')
    if mount.read_only:
        flags |= libc.MS_RDONLY
    if not any(option.startswith("mode=") for option in data):
        data.append("mode=1777")
    return _step(mount.target, "tmpfs", flags, ",".join(data))


def devices(host_config: Mapping[str, Any]) -> list[tuple[str, int, int, int, int, int]]:
    """(path, mode with type, major, minor, uid, gid) of the nodes in /dev: the default ones, and the host's by request.

    A privileged container sees all of the host's. Raises InvalidArgument for a device that is not there.
    """
    nodes = {device[0]: device for device in DEVICES}
    if host_config.get("Privileged"):
        for path in _host_devices():
            nodes.setdefault(str(path), _node(path, str(path)))
    for wanted in host_config.get("Devices") or ():
        host, inside = wanted["PathOnHost"], wanted.get("PathInContainer") or wanted["PathOnHost"]
        nodes[inside] = _node(Path(host), inside)
    return list(nodes.values())


def _host_devices() -> Iterable[Path]:
    """Device nodes of the host, without terminals of its sessions and what a container has of its own."""
    for directory, names, files in os.walk("/dev"):
        names[:] = [name for name in names if name not in ("pts", "shm", "mqueue", "fd", ".lxc", ".udev")]
        for name in files:
            path = Path(directory, name)
            node = not path.is_symlink() and (path.is_block_device() or path.is_char_device())
            if node and name not in ("console", "ptmx"):
                yield path


def _node(host: Path, inside: str) -> tuple[str, int, int, int, int, int]:
    try:
        found = host.stat()
    except OSError as error:
        text = f'error gathering device information while adding custom device "{host}": {error.strerror}'
        raise InvalidArgument(text.lower()) from error
    if not (stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)):
        text = f'error gathering device information while adding custom device "{host}": not a device node'
        raise InvalidArgument(text)
    return inside, found.st_mode, os.major(found.st_rdev), os.minor(found.st_rdev), found.st_uid, found.st_gid
