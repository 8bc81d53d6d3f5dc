"""The mounts of a container, the kernel's own and what users bring, as steps for `engine.containers.shim.rootfs`.

The list of kernel file systems is the OCI runtime specification's default for Linux, with
Docker's choices where it leaves one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.containers.config.mounts import Mount, check_tmpfs_words
from engine.containers.config.resources import SHM_DEFAULT
from engine.kernel import libc

_HARMLESS = libc.MS_NOSUID | libc.MS_NOEXEC | libc.MS_NODEV
# What of the engine's own a container has: the files that `engine.containers.hostfiles` writes.
NETWORK_FILES = {"/etc/resolv.conf": "resolv.conf", "/etc/hostname": "hostname", "/etc/hosts": "hosts"}
# The flag of mount(2), and whether what is mounted below gets it, too; only "shared" leaves that as the host has it.
_PROPAGATION = {
    "": (libc.MS_PRIVATE, True),
    "private": (libc.MS_PRIVATE, True),
    "rprivate": (libc.MS_PRIVATE, True),
    "slave": (libc.MS_SLAVE, True),
    "rslave": (libc.MS_SLAVE, True),
    "shared": (libc.MS_SHARED, False),
    "rshared": (libc.MS_SHARED, True),
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

Step = dict[str, Any]


def kernel_mounts(*, privileged: bool, shm_size: int | None, cgroups: Iterable[tuple[str, str, str]]) -> list[Step]:
    """/proc, /dev, /sys and below; ``cgroups`` are (directory name, file system type, options) of each hierarchy.

    ``shm_size`` are the bytes of a /dev/shm of its own, 0 for the default, None for a container that has none.
    """
    guard = 0 if privileged else libc.MS_RDONLY
    device_flags = libc.MS_NOSUID | libc.MS_STRICTATIME
    pts = "newinstance,ptmxmode=0666,mode=0620,gid=5"
    steps = [
        _step("/proc", "proc", _HARMLESS),
        _step("/dev", "tmpfs", device_flags, "mode=755,size=65536k"),
        _step("/dev/pts", "devpts", libc.MS_NOSUID | libc.MS_NOEXEC, pts),
        _step("/dev/mqueue", "mqueue", _HARMLESS),
        _step("/sys", "sysfs", _HARMLESS | guard),
    ]
    if shm_size is not None:
        steps.append(_step("/dev/shm", "tmpfs", _HARMLESS, f"mode=1777,size={shm_size or SHM_DEFAULT}"))
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


def user_mounts(mounts: Iterable[Mount], files: Mapping[str, Path]) -> list[Step]:
    """Steps for a user's mounts and for our own ``files``, see `outer_first`."""
    return [_tmpfs(mount) if mount.type == "tmpfs" else _bind(mount) for mount in outer_first(mounts, files)]


def outer_first(mounts: Iterable[Mount], files: Mapping[str, Path]) -> list[Mount]:
    """A user's mounts and our own ``files`` (target → host path), outer directories first.

    What a user mounts at the place of one of our files wins.
    """
    wanted = {mount.target: mount for mount in mounts}
    own = {target: Mount("bind", str(path), target) for target, path in files.items()}
    return sorted((own | wanted).values(), key=lambda mount: mount.target.rstrip("/").count("/"))


def _bind(mount: Mount) -> Step:
    return {
        "source": mount.source,
        "target": mount.target,
        "kind": mount.type,
        "read_only": _read_only(mount),
        "recursive": mount.recursive,
        "propagation": _PROPAGATION[mount.propagation],
    }


def _read_only(mount: Mount) -> str:
    if not mount.read_only:
        return ""
    return "recursive" if mount.read_only_recursive else "top"


def _tmpfs(mount: Mount) -> Step:
    flags, data = _HARMLESS, []
    options = [option for option in mount.options.split(",") if option]
    check_tmpfs_words(options)
    for option in options:
        if option in _TMPFS_FLAGS:
            bit, on = _TMPFS_FLAGS[option]
            flags = flags | bit if on else flags & ~bit
        elif option != "defaults":
            data.append(option)
    if mount.read_only:
        flags |= libc.MS_RDONLY
    if not any(option.startswith("mode=") for option in data):
        data.append("mode=1777")
    return _step(mount.target, "tmpfs", flags, ",".join(data))
