"""System calls that Python does not wrap. The only place where the runtime meets ctypes.

Constants carry the names of the kernel's headers. Each wrapper takes plain values, checks the result and raises
OSError with errno and, where there is one, the path. Launcher, shim and init import this module on every start, so it
stays small.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import mmap
import os
import platform
from collections.abc import Iterable, Mapping, Sequence

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000

# <linux/mount.h>
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_STRICTATIME = 1 << 24
MNT_DETACH = 2
OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOVE_MOUNT_T_EMPTY_PATH = 0x40
MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR_IDMAP = 0x100000

# <linux/magic.h>
PROC_SUPER_MAGIC = 0x9FA0
TMPFS_MAGIC = 0x01021994
DEVPTS_SUPER_MAGIC = 0x1CD1

# <linux/sched.h>
CLONE_PIDFD = 0x1000
CLONE_PARENT = 0x8000
CLONE_PARENT_SETTID = 0x100000
CLONE_NEWNS = 0x20000
CLONE_NEWCGROUP = 0x2000000
CLONE_NEWUTS = 0x4000000
CLONE_NEWIPC = 0x8000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# <linux/openat2.h>
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

# <linux/prctl.h>
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
SECCOMP_MODE_FILTER = 2

_LINUX_CAPABILITY_VERSION_3 = 0x20080522

# These numbers are the same on every architecture (asm-generic, 424 and above); pivot_root, capget and capset are not.
_SYS_OPEN_TREE = 428
_SYS_MOVE_MOUNT = 429
_SYS_CLONE3 = 435
_SYS_OPENAT2 = 437
_SYS_CLOSE_RANGE = 436
_SYS_MOUNT_SETATTR = 442
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}.get(platform.machine(), 41)
_SYS_CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine(), 220)

# PyDLL keeps the interpreter lock: clone3 must not return into a child that waits for a lock nobody will release.
_libc = ctypes.PyDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_execve = _libc["execve"]
_prctl = _libc["prctl"]
_prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]


class _CloneArgs(ctypes.Structure):
    """struct clone_args, clone(2)."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls",
            "set_tid", "set_tid_size", "cgroup",
        )
    ]  # fmt: skip


class _OpenHow(ctypes.Structure):
    """struct open_how, openat2(2)."""

    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


class _MountAttr(ctypes.Structure):
    """struct mount_attr, mount_setattr(2)."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


class _CapHeader(ctypes.Structure):
    """struct __user_cap_header_struct, capset(2)."""

    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapData(ctypes.Structure):
    """struct __user_cap_data_struct; two of them hold 64 capabilities."""

    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


class _SockFprog(ctypes.Structure):
    """struct sock_fprog, seccomp(2)."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def _check(result: int, path: str | None = None) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result


def _call(number: int, *arguments: object) -> int:
    """syscall(2) with every integer widened: variadic ints would reach the kernel with undefined upper halves."""
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return int(_syscall(ctypes.c_long(number), *wide))


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    result = _libc.mount(
        source.encode(), os.fsencode(target), fstype.encode() or None, ctypes.c_ulong(flags), data.encode() or None
    )
    _check(result, target)


def umount2(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    _check(_libc.umount2(os.fsencode(target), flags), target)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    _check(_call(_SYS_PIVOT_ROOT, os.fsencode(new_root), os.fsencode(put_old)), new_root)


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(_libc.unshare(flags))


def setns(fd: int, nstype: int = 0) -> None:
    """setns(2); ``fd`` is a namespace or, with several types in ``nstype``, a pidfd."""
    _check(_libc.setns(fd, nstype))


def sethostname(name: str) -> None:
    """sethostname(2)."""
    raw = name.encode()
    _check(_libc.sethostname(raw, len(raw)), name)


def setdomainname(name: str) -> None:
    """setdomainname(2)."""
    raw = name.encode()
    _check(_libc.setdomainname(raw, len(raw)), name)


def clone3(flags: int, exit_signal: int) -> tuple[int, int]:
    """clone3(2) in the manner of fork: returns ``(pid, pidfd)`` in the parent and ``(0, -1)`` in the child.

    The interpreter is told of the fork by its own hooks, so that its locks and signal state are right in the child.
    """
    pidfd = ctypes.c_int(-1)
    arguments = _CloneArgs(flags=flags | CLONE_PIDFD, pidfd=ctypes.addressof(pidfd), exit_signal=exit_signal)
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = _call(_SYS_CLONE3, ctypes.byref(arguments), ctypes.sizeof(arguments))
    number = ctypes.get_errno()
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0, -1
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, os.strerror(number))
    return pid, pidfd.value


class Cradle:
    """Memory shared with a forked process, where the kernel writes the number of the child that one makes by `clone`.

    The child does not inherit it (MADV_DONTFORK), so it cannot name another process.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self.number = ctypes.c_int.from_buffer(self._memory)

    def keep_from_children(self) -> None:
        self._memory.madvise(mmap.MADV_DONTFORK)

    @property
    def pid(self) -> int:
        """0 until there is a process."""
        return self.number.value

    def close(self) -> None:
        del self.number
        self._memory.close()


def clone(flags: int, cradle: Cradle) -> int:
    """clone(2) in the manner of fork; the child's number is in ``cradle`` before the child runs.

    For a process with one thread and a child that executes a program at once: the interpreter is not told. A filter of
    system calls that reads flags has to forbid clone3, whose flags are in memory, and allows this.
    """
    cradle.keep_from_children()
    return _check(_call(_SYS_CLONE, flags | CLONE_PARENT_SETTID, 0, ctypes.byref(cradle.number), 0, 0))


def close_all_but(*kept: int) -> None:
    """close_range(2): close every descriptor but the standard streams and these."""
    borders = [2, *sorted(kept), 1 << 32]
    for below, above in itertools.pairwise(borders):
        if below + 1 < above:
            _check(_call(_SYS_CLOSE_RANGE, below + 1, above - 1, 0))


class Program:
    """A call of execve(2) with its arguments laid out beforehand, for a child that should touch little memory."""

    def __init__(self, path: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._path = os.fsencode(path)
        self._arguments = _strings(map(os.fsencode, arguments))
        self._environment = _strings(os.fsencode(f"{name}={value}") for name, value in environment.items())

    def execute(self) -> None:
        """Returns only by OSError."""
        _check(_execve(self._path, self._arguments, self._environment))


def _strings(values: Iterable[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    """char *const []: ends with a null pointer."""
    listed = list(values)
    return (ctypes.c_char_p * (len(listed) + 1))(*listed)


def default_signal(number: int) -> None:
    """signal(2) with SIG_DFL."""
    _libc.signal(number, None)


def file_system(fd: int) -> int:
    """The magic number of the file system that ``fd`` is on; fstatfs(2). It is the first word of struct statfs."""
    status = (ctypes.c_long * 32)()
    _check(_libc.fstatfs(fd, status))
    return int(status[0])


def open_tree(dirfd: int, path: str, flags: int) -> int:
    """open_tree(2): a descriptor for a mount; with OPEN_TREE_CLONE a detached copy of it."""
    return _check(_call(_SYS_OPEN_TREE, dirfd, os.fsencode(path), flags), path)


def move_mount(from_fd: int, to_fd: int, to_path: str = "") -> None:
    """move_mount(2) of the mount that ``from_fd`` names; an empty ``to_path`` means ``to_fd`` itself."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | (0 if to_path else MOVE_MOUNT_T_EMPTY_PATH)
    _check(_call(_SYS_MOVE_MOUNT, from_fd, b"", to_fd, os.fsencode(to_path), flags), to_path or None)


def mount_setattr(fd: int, *, recursive: bool = False, attr_set: int = 0, propagation: int = 0) -> None:
    """mount_setattr(2) on the mount that ``fd`` names."""
    attributes = _MountAttr(attr_set=attr_set, propagation=propagation)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    size = ctypes.sizeof(attributes)
    _check(_call(_SYS_MOUNT_SETATTR, fd, b"", flags, ctypes.byref(attributes), size))


def openat2(dirfd: int, path: str, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """openat2(2): open(2) with rules for how ``path`` may resolve; the descriptor is close-on-exec.

    Under RESOLVE_IN_ROOT a concurrent rename makes the kernel answer EAGAIN; it is tried again, as the manual page
    advises.
    """
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    raw = os.fsencode(path)
    for _ in range(64):
        fd = _call(_SYS_OPENAT2, dirfd, raw, ctypes.byref(how), ctypes.sizeof(how))
        if fd >= 0 or ctypes.get_errno() != errno.EAGAIN:
            return _check(fd, path)
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)


def syncfs(fd: int) -> None:
    """syncfs(2): write back the file system that ``fd`` is on."""
    _check(_libc.syncfs(fd))


def prctl(option: int, argument2: int = 0, argument3: int = 0) -> int:
    """prctl(2)."""
    return _check(_prctl(option, argument2, argument3, 0, 0))


def set_seccomp_filter(program: bytes) -> None:
    """Install a seccomp filter, given as an array of ``struct sock_filter`` (8 bytes each); seccomp(2).

    Needs no_new_privs or CAP_SYS_ADMIN.
    """
    descriptor = _SockFprog(len(program) // 8, program)
    wide = ctypes.c_ulong
    result = _libc.prctl(PR_SET_SECCOMP, wide(SECCOMP_MODE_FILTER), ctypes.byref(descriptor), wide(0), wide(0))
    _check(result)


def capget() -> tuple[int, int, int]:
    """capget(2) of this process: effective, permitted and inheritable as bit masks."""
    header, data = _CapHeader(_LINUX_CAPABILITY_VERSION_3, 0), (_CapData * 2)()
    _check(_libc.capget(ctypes.byref(header), data))
    low, high = data
    return (
        low.effective | high.effective << 32,
        low.permitted | high.permitted << 32,
        low.inheritable | high.inheritable << 32,
    )


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) of this process, from bit masks."""
    header, data = _CapHeader(_LINUX_CAPABILITY_VERSION_3, 0), (_CapData * 2)()
    for index in range(2):
        shift = 32 * index
        data[index].effective = effective >> shift & 0xFFFFFFFF
        data[index].permitted = permitted >> shift & 0xFFFFFFFF
        data[index].inheritable = inheritable >> shift & 0xFFFFFFFF
    _check(_libc.capset(ctypes.byref(header), data))
