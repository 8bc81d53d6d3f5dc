"""Docker's default seccomp profile (moby 28) as data: what a container may ask of the kernel.

Grouped by what the calls are for. Names without a number on this architecture (chown32, say, is i386's) and names that
the library does not know yet are skipped when the filter is made.
"""

from __future__ import annotations

import errno
from typing import NamedTuple

ALLOW = "SCMP_ACT_ALLOW"
ERRNO = "SCMP_ACT_ERRNO"


class Argument(NamedTuple):
    """A condition on an argument of a call. SCMP_CMP_MASKED_EQ means ``argument & value == second``."""

    position: int
    value: int
    second: int
    operator: str


class Rule(NamedTuple):
    """What happens to calls; all conditions must hold. ``errno`` is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE."""

    names: tuple[str, ...]
    action: str = ALLOW
    errno: int = errno.EPERM
    arguments: tuple[Argument, ...] = ()
    with_capabilities: frozenset[str] = frozenset()  # all of them
    without_capabilities: frozenset[str] = frozenset()  # none of them
    architectures: frozenset[str] = frozenset()  # Go's names; empty: all
    not_architectures: frozenset[str] = frozenset()
    minimal_kernel: tuple[int, int] = (0, 0)


class Profile(NamedTuple):
    """A complete profile. ``architectures`` are libseccomp's names beside the native one."""

    default_action: str
    default_errno: int
    architectures: tuple[str, ...]
    rules: tuple[Rule, ...]


_FILES = """
    access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
    fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync
    fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate
    ftruncate64 futimesat getcwd getdents getdents64 getxattr getxattrat ioctl lchown lchown32 lgetxattr link linkat
    listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat
    name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead
    readlink readlinkat readv removexattr removexattrat rename renameat renameat2 rmdir sendfile sendfile64 setxattr
    setxattrat splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs tee truncate
    truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev cachestat
"""
_WAITING = """
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
    eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
    io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit _newselect pause pipe pipe2 poll ppoll
    ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4 timerfd_create timerfd_gettime timerfd_gettime64
    timerfd_settime timerfd_settime64
"""
_MEMORY = """
    brk get_thread_area madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap
    mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease
    remap_file_pages set_thread_area
"""
_PROCESSES = """
    capget capset execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv
    futex_wake get_robust_list getcpu getpgid getpgrp getpid getppid getpriority getrlimit getrusage getsid gettid
    ioprio_get ioprio_set kill pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq rt_sigaction
    rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
    rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
    sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
    sched_setparam sched_setscheduler sched_yield set_robust_list set_tid_address setpgid setpriority setrlimit setsid
    sigaltstack sigprocmask sigreturn sysinfo tgkill tkill ugetrlimit uname uretprobe vfork wait4 waitid waitpid
    landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp getrandom
"""
_IDENTITY = """
    getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32 getresuid
    getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid
    setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32
"""
_TIME = """
    adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
    clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete
    timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 times
"""
_MESSAGES = """
    accept accept4 bind connect getpeername getsockname getsockopt ipc listen mq_getsetattr mq_notify mq_open
    mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd recv
    recvfrom recvmmsg recvmmsg_time64 recvmsg semctl semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg
    sendto setsockopt shmat shmctl shmdt shmget shutdown socketcall socketpair
"""

_BY_CAPABILITY = {
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount
        open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare
    """,
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module finit_module init_module",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_TIME": "clock_settime clock_settime64 settimeofday stime",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYSLOG": "syslog",
    "CAP_BPF": "bpf",
    "CAP_PERFMON": "perf_event_open",
}

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
_NAMESPACES = 0x7E020000
_SYS_ADMIN = frozenset({"CAP_SYS_ADMIN"})
_AF_VSOCK = 40  # would reach services of the hypervisor, past every network namespace
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)  # PER_LINUX, PER_LINUX32, UNAME26, both, "only ask"


def _when(names: str, index: int, value: int, operator: str = "SCMP_CMP_EQ", **conditions: frozenset[str]) -> Rule:
    return Rule(tuple(names.split()), arguments=(Argument(index, value, 0, operator),), **conditions)  # type: ignore[arg-type]


DEFAULT = Profile(
    default_action=ERRNO,
    default_errno=errno.EPERM,
    architectures=("x86_64", "x86", "x32", "aarch64", "arm"),
    rules=(
        Rule(tuple((_FILES + _WAITING + _MEMORY + _PROCESSES + _IDENTITY + _TIME + _MESSAGES).split())),
        # Before 4.8 ptrace(2) could step around seccomp.
        Rule(("ptrace",), minimal_kernel=(4, 8)),
        _when("socket", 0, _AF_VSOCK, "SCMP_CMP_NE"),
        *(_when("personality", 0, value) for value in _PERSONALITIES),
        Rule(("arch_prctl", "modify_ldt"), architectures=frozenset({"amd64", "x32", "x86"})),
        Rule(
            ("arm_fadvise64_64", "arm_sync_file_range", "sync_file_range2", "breakpoint", "cacheflush", "set_tls"),
            architectures=frozenset({"arm", "arm64"}),
        ),
        _when("clone", 0, _NAMESPACES, "SCMP_CMP_MASKED_EQ", without_capabilities=_SYS_ADMIN),
        # Its flags lie in memory, where a filter cannot look. ENOSYS makes the C library use clone(2).
        Rule(("clone3",), ERRNO, errno.ENOSYS, without_capabilities=_SYS_ADMIN),
        *(
            Rule(tuple(names.split()), with_capabilities=frozenset({capability}))
            for capability, names in _BY_CAPABILITY.items()
        ),
    ),
)
