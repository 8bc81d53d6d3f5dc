"""Linux capabilities: names, Docker's default set, and how an init gives up the rest; capabilities(7)."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from engine.errors import InvalidArgument

from . import libc

# In the order of <linux/capability.h>: the index is the bit.
NAMES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
    "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
)  # fmt: skip

DEFAULT = frozenset({
    "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
})  # fmt: skip

_ALL = "CAP_ALL"


def compute(cap_add: Iterable[str] | None, cap_drop: Iterable[str] | None, privileged: bool) -> frozenset[str]:
    """What a container gets, by Docker's rules; a privileged one gets everything that its creator has.

    Raises InvalidArgument for a name that does not exist.
    """
    add, drop = _parse(cap_add, "CapAdd"), _parse(cap_drop, "CapDrop")
    if privileged:
        return frozenset(NAMES)
    if _ALL in add:
        return frozenset(NAMES) - drop
    if _ALL in drop:
        return frozenset(add)
    return (DEFAULT - drop) | add


def _parse(names: Iterable[str] | None, field: str) -> frozenset[str]:
    parsed = set()
    for given in names or ():
        name = given.strip().upper()
        name = name if name.startswith("CAP_") else f"CAP_{name}"
        if name != _ALL and name not in NAMES:
            raise InvalidArgument(f'invalid {field}: unknown capability: "{name}"')
        parsed.add(name)
    return frozenset(parsed)


def mask(names: Iterable[str]) -> int:
    """Names as the kernel's bit mask."""
    return sum(1 << NAMES.index(name) for name in set(names))


def names(bits: int) -> frozenset[str]:
    """A bit mask as names; bits of a newer kernel are left out."""
    return frozenset(name for bit, name in enumerate(NAMES) if bits >> bit & 1)


def available() -> int:
    """What this process may pass on. An engine without CAP_SYS_RESOURCE, say, can give it to nobody."""
    return libc.capget()[1]


def limit_bounding(bits: int) -> None:
    """Drop everything but ``bits`` from the bounding set. Needs CAP_SETPCAP, so it comes before `limit`."""
    for bit in range(64):
        if not bits >> bit & 1:
            try:
                libc.prctl(libc.PR_CAPBSET_DROP, bit)
            except OSError as error:
                if error.errno != errno.EINVAL:  # EINVAL: beyond the kernel's last capability
                    raise
                return


def limit(bits: int) -> None:
    """Keep ``bits`` as effective and permitted, nothing as inheritable or ambient.

    An empty inheritable set is what Docker gives since CVE-2022-24769. A user other than root loses the rest at
    execve(2). Whoever changes the user in between sets PR_SET_KEEPCAPS first.
    """
    bits &= available()
    libc.prctl(libc.PR_CAP_AMBIENT, libc.PR_CAP_AMBIENT_CLEAR_ALL)
    libc.capset(bits, bits, 0)
