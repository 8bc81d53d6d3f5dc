"""The mount that a descriptor is on, from /proc/self/mountinfo; proc_pid_mountinfo(5)."""

from __future__ import annotations

import re
from typing import NamedTuple

_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """``shared`` and ``slave`` say how it hangs together with others (mount_namespaces(7))."""

    mount_point: str
    shared: bool
    slave: bool


def of(fd: int) -> Mount:
    """Raises LookupError for a mount that is in no namespace or in another one."""
    with open(f"/proc/self/fdinfo/{fd}", encoding="utf-8") as file:
        number = next(line.split()[1] for line in file if line.startswith("mnt_id:"))
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if line.startswith(f"{number} "):
                return _parse(line)
    raise LookupError(f"mount {number} is not in this mount namespace")


def _parse(line: str) -> Mount:
    fields = line.split(" ")
    optional = fields[6 : fields.index("-", 6)]
    path = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4])
    return Mount(
        path,
        shared=any(field.startswith("shared:") for field in optional),
        slave=any(field.startswith("master:") for field in optional),
    )
