"""What many containers have used so far, as cheaply as it can be read again and again.

`engine.containers.stats` opens some thirty files for a sample in Docker's form. Here a container's few control files
stay open and are read by pread(2), and /proc/net/dev tells of all interfaces at once.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from engine.kernel.cgroups import ROOT, version

_SIZE = 8192  # of a control file, unless it tells of dozens of disks
_NET = "/proc/net/dev"


class Counters(NamedTuple):
    """Totals since the container's start: ``cpu`` in nanoseconds, ``processes`` a number, the rest in bytes.

    ``memory`` is what is used now, without the page cache that the kernel can drop at once, as the docker command
    shows it; ``limit`` is at most what the machine has.
    """

    cpu: int
    memory: int
    limit: int
    received: int
    sent: int
    read: int
    written: int
    processes: int


class Reader:
    """Reads the cgroups below ``parent``; keeps files of as many containers open as ``descriptors`` suffice for."""

    def __init__(self, parent: str, descriptors: int, root: str = ROOT) -> None:
        self._parent, self._root = parent, root
        self._group = _VersionTwo if version(root) == 2 else _VersionOne
        self._room = descriptors // self._group.FILES
        self._kept: dict[str, _Group] = {}

    def read(self, containers: Mapping[str, Iterable[str]]) -> dict[str, Counters]:
        """``containers`` names the host's ends of each one's interfaces. One that has ended is left out."""
        for gone in self._kept.keys() - containers.keys():
            self._kept.pop(gone).close()
        network = traffic()
        found = {}
        for container, interfaces in containers.items():
            # What the host's end receives the container has sent.
            seen = [network[name] for name in interfaces if name in network]
            counters = self._read(container, sum(received for _, received in seen), sum(sent for sent, _ in seen))
            if counters is not None:
                found[container] = counters
        return found

    def close(self) -> None:
        for group in self._kept.values():
            group.close()
        self._kept.clear()

    def _read(self, container: str, received: int, sent: int) -> Counters | None:
        """The file of a cgroup that is no more says ENODEV; the container may have got a new one, being restarted."""
        if group := self._kept.get(container):
            with contextlib.suppress(OSError):
                return group.read(received, sent)
            self._kept.pop(container).close()
        group = self._group()
        keeps = False
        try:
            group.open(self._root, f"{self._parent}/{container}")
            counters = group.read(received, sent)
            keeps = len(self._kept) < self._room
        except OSError:
            return None
        finally:
            if keeps:
                self._kept[container] = group
            else:
                group.close()
        return counters


class _Group:
    """The control files of one container. OSError when its cgroup does not exist."""

    FILES = 0

    def __init__(self) -> None:
        self._fds: list[int] = []

    def open(self, root: str, path: str) -> None:
        raise NotImplementedError

    def read(self, received: int, sent: int) -> Counters:
        raise NotImplementedError

    def close(self) -> None:
        while self._fds:
            os.close(self._fds.pop())

    def _open(self, path: str) -> int:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._fds.append(fd)
        return fd

    def _open_optional(self, path: str) -> int:
        """-1 for what this kernel does not count."""
        try:
            return self._open(path)
        except FileNotFoundError:
            return -1


class _VersionOne(_Group):
    FILES = 7

    def open(self, root: str, path: str) -> None:
        memory, blocks = f"{root}/memory{path}", f"{root}/blkio{path}"
        self._usage = self._open(f"{memory}/memory.usage_in_bytes")
        self._limit = self._open(f"{memory}/memory.limit_in_bytes")
        self._details = self._open(f"{memory}/memory.stat")
        self._cpu = self._open_optional(f"{root}/cpuacct{path}/cpuacct.usage")
        self._pids = self._open_optional(f"{root}/pids{path}/pids.current")
        # BFQ counts for its own devices only; where it has counted nothing the throttling layer has.
        self._blocks = [
            self._open_optional(f"{blocks}/blkio.{layer}.io_service_bytes_recursive") for layer in ("bfq", "throttle")
        ]

    def read(self, received: int, sent: int) -> Counters:
        usage, cache = int(_content(self._usage)), keyed(_content(self._details), b"total_inactive_file")
        read, written = next(filter(any, map(operations, map(_content, self._blocks))), (0, 0))
        return Counters(
            _number(self._cpu),
            usage - cache if cache < usage else usage,
            min(_number(self._limit), total_memory()),
            received,
            sent,
            read,
            written,
            _number(self._pids),
        )


class _VersionTwo(_Group):
    FILES = 6

    def open(self, root: str, path: str) -> None:
        directory = root + path
        self._usage = self._open(f"{directory}/memory.current")
        self._limit = self._open(f"{directory}/memory.max")
        self._details = self._open(f"{directory}/memory.stat")
        self._cpu = self._open(f"{directory}/cpu.stat")
        self._pids = self._open_optional(f"{directory}/pids.current")
        self._blocks = self._open_optional(f"{directory}/io.stat")

    def read(self, received: int, sent: int) -> Counters:
        usage, cache = int(_content(self._usage)), keyed(_content(self._details), b"inactive_file")
        read, written = transfers(_content(self._blocks))
        return Counters(
            1000 * keyed(_content(self._cpu), b"usage_usec"),
            usage - cache if cache < usage else usage,
            min(_number(self._limit) or total_memory(), total_memory()),
            received,
            sent,
            read,
            written,
            _number(self._pids),
        )


def keyed(content: bytes, key: bytes) -> int:
    """The number after a key of a flat keyed file such as memory.stat; 0 when it is not there."""
    start = content.find(b"\n%b " % key)
    if start < 0:
        if not content.startswith(key + b" "):
            return 0
        start = -1
    start += len(key) + 2
    end = content.find(b"\n", start)
    return int(content[start : end if end >= 0 else None])


def operations(content: bytes) -> tuple[int, int]:
    """Bytes read and written in cgroup v1's lines ``8:0 Read 4096``."""
    if content.startswith(b"Total"):
        return 0, 0
    fields = [line.split() for line in content.splitlines()]
    read, written = (sum(int(row[2]) for row in fields if row[1] == kind) for kind in (b"Read", b"Write"))
    return read, written


def transfers(content: bytes) -> tuple[int, int]:
    """Bytes read and written in cgroup v2's lines ``8:0 rbytes=4096 wbytes=0 rios=1 wios=0``."""
    read = written = 0
    for field in content.split():
        if field.startswith(b"rbytes="):
            read += int(field[7:])
        elif field.startswith(b"wbytes="):
            written += int(field[7:])
    return read, written


def traffic(path: str = _NET) -> dict[str, tuple[int, int]]:
    """Bytes received and sent by each interface of this network namespace; proc_pid_net(5)."""
    with open(path, encoding="ascii") as file:
        lines = file.read().splitlines()[2:]
    rows = ((name.strip(), numbers.split()) for name, _, numbers in (line.partition(":") for line in lines))
    return {name: (int(numbers[0]), int(numbers[8])) for name, numbers in rows}


def _content(fd: int) -> bytes:
    if fd < 0:
        return b""
    content = os.pread(fd, _SIZE, 0)
    while content and not len(content) % _SIZE and (more := os.pread(fd, _SIZE, len(content))):
        content += more
    return content


def _number(fd: int) -> int:
    """A file with one number; 0 for ``max`` and for what is not counted."""
    content = _content(fd).rstrip()
    return int(content) if content.isdigit() else 0


@functools.cache
def total_memory() -> int:
    """Of the machine, in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
