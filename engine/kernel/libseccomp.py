"""Turns a seccomp profile into a BPF program by way of libseccomp; seccomp_rule_add(3), seccomp_export_bpf(3)."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import platform
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.errors import InvalidArgument, SystemFailure

if TYPE_CHECKING:
    from .seccomp_profile import Argument, Profile, Rule

ACTIONS = {
    "SCMP_ACT_ALLOW": 0x7FFF0000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_KILL": 0,
    "SCMP_ACT_KILL_THREAD": 0,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
}
OPERATORS = {
    f"SCMP_CMP_{name}": value for value, name in enumerate(("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"), start=1)
}
_WITH_ERRNO = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
_OPTIMIZE = 8  # SCMP_FLTATR_CTL_OPTIMIZE; 2 sorts the calls into a binary tree
_GO_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}
_FAMILY = {"x86_64": ("x86_64", "x86", "x32"), "aarch64": ("aarch64", "arm")}
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000


class _Version(ctypes.Structure):
    """struct scmp_version."""

    _fields_ = [("major", ctypes.c_uint), ("minor", ctypes.c_uint), ("micro", ctypes.c_uint)]


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    ]


@functools.cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        raise SystemFailure("libseccomp.so.2 is missing; install the package libseccomp2") from error
    library.seccomp_version.restype = ctypes.POINTER(_Version)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_release.argtypes = [ctypes.c_void_p]
    library.seccomp_arch_resolve_name.restype = ctypes.c_uint32
    library.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    library.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(_Comparison),
    ]  # fmt: skip
    library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    return library


def version() -> str:
    """The library's version, which decides what system calls have names."""
    found = _library().seccomp_version().contents
    return f"{found.major}.{found.minor}.{found.micro}"


def build(profile: Profile, capabilities: frozenset[str]) -> bytes:
    """The filter for a process with ``capabilities``: an array of struct sock_filter. Raises SystemFailure."""
    library = _library()
    with _filter(_action(profile.default_action, profile.default_errno)) as context:
        for name in profile.architectures:
            if name in _FAMILY.get(platform.machine(), ()):
                _check(
                    library.seccomp_arch_add(context, library.seccomp_arch_resolve_name(name.encode())), errno.EEXIST
                )
        for rule in profile.rules:
            if _applies(rule, capabilities):
                _add(context, profile, rule)
        _check(library.seccomp_attr_set(context, _OPTIMIZE, 2))
        return _unknown_calls(profile) + _export(context)


@contextlib.contextmanager
def _filter(default_action: int) -> Iterator[int]:
    context = _library().seccomp_init(default_action)
    if not context:
        raise SystemFailure("seccomp_init failed")
    try:
        yield context
    finally:
        _library().seccomp_release(context)


def _check(result: int, *harmless: int) -> None:
    if result < 0 and -result not in harmless:
        raise SystemFailure(f"libseccomp: {os.strerror(-result)}")


def _action(name: str, number: int) -> int:
    if name not in ACTIONS:
        raise InvalidArgument(f'Decoding seccomp profile failed: action "{name}" is not supported')
    return ACTIONS[name] | (number & 0xFFFF if name in _WITH_ERRNO else 0)


def _applies(rule: Rule, capabilities: frozenset[str]) -> bool:
    architecture = _GO_ARCHITECTURE.get(platform.machine(), platform.machine())
    return (
        rule.with_capabilities <= capabilities
        and not rule.without_capabilities & capabilities
        and (not rule.architectures or architecture in rule.architectures)
        and architecture not in rule.not_architectures
        and rule.minimal_kernel <= _kernel()
    )


@functools.cache
def _kernel() -> tuple[int, int]:
    major, minor, *_ = os.uname().release.split(".")
    return int(major), int("".join(filter(str.isdigit, minor.partition("-")[0])) or 0)


def _add(context: int, profile: Profile, rule: Rule) -> None:
    action = _action(rule.action, rule.errno)
    if action == _action(profile.default_action, profile.default_errno):
        return  # says nothing; the library would refuse it
    for name in rule.names:
        number = _library().seccomp_syscall_resolve_name(name.encode())
        if number == -1:  # __NR_SCMP_ERROR: younger than the library
            continue
        for comparisons in _comparisons(rule.arguments):
            array = (_Comparison * len(comparisons))(*comparisons)
            # EDOM: not a call of these architectures.
            _check(
                _library().seccomp_rule_add_array(context, action, number, len(array), array), errno.EDOM, errno.EEXIST
            )


def _comparisons(arguments: tuple[Argument, ...]) -> list[list[_Comparison]]:
    """One rule if each argument is compared once, else one rule for each comparison, as runc does."""
    each = [_Comparison(a.position, OPERATORS[a.operator], a.value, a.second) for a in arguments]
    if len({argument.position for argument in arguments}) == len(arguments):
        return [each]
    return [[comparison] for comparison in each]


def _unknown_calls(profile: Profile) -> bytes:
    """Answer ENOSYS for numbers above the highest of the profile, so that a new C library falls back to an older call.

    It goes before the library's program. Offsets count instructions to skip; see linux/filter.h.
    """
    architecture = _AUDIT_ARCH.get(platform.machine())
    if architecture is None or profile.default_action != "SCMP_ACT_ERRNO":
        return b""
    resolve = _library().seccomp_syscall_resolve_name
    highest = max((resolve(name.encode()) for rule in profile.rules for name in rule.names), default=-1)
    load, equal, greater, at_least, answer = 0x20, 0x15, 0x25, 0x35, 0x06
    code = [
        (load, 0, 0, 4),  # seccomp_data.arch
        (equal, 0, 4, architecture),
        (load, 0, 0, 0),  # seccomp_data.nr
        (at_least, 2, 0, _X32_BIT),
        (greater, 0, 1, max(highest, 0)),
        (answer, 0, 0, ACTIONS["SCMP_ACT_ERRNO"] | errno.ENOSYS),
    ]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def _export(context: int) -> bytes:
    memory = os.memfd_create("seccomp", os.MFD_CLOEXEC)
    try:
        _check(_library().seccomp_export_bpf(context, memory))
        return os.pread(memory, os.fstat(memory).st_size, 0)
    finally:
        os.close(memory)
