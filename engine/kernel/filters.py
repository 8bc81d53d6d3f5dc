"""What a system call filter answers, computed: a classic BPF program over struct seccomp_data; seccomp(2).

Only the instructions that libseccomp writes are known. A program with others is taken to forbid.
"""

from __future__ import annotations

import functools
import platform
import signal
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import libc

RET_KILL, RET_LOG, RET_ALLOW = 0x0, 0x7FFC0000, 0x7FFF0000
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_INSTRUCTION = struct.Struct("=HBBI")
_DATA = struct.Struct("=iIQ6Q")
_LOAD, _JUMP, _RETURN, _AND = 0x20, 0x05, 0x06, 0x54
_TESTS: dict[int, Callable[[int, int], bool]] = {
    0x15: lambda value, k: value == k,
    0x25: lambda value, k: value > k,
    0x35: lambda value, k: value >= k,
    0x45: lambda value, k: bool(value & k),
}


class _Call(NamedTuple):
    """A system call by its numbers, with the arguments that matter."""

    x86_64: int
    aarch64: int
    arguments: tuple[int, ...] = ()


_TIOCSCTTY = 0x540E
_TO_FORK_AND_EXECUTE = (
    _Call(56, 220, (libc.CLONE_PARENT | libc.CLONE_PARENT_SETTID,)),  # clone
    _Call(112, 157),  # setsid
    _Call(16, 29, (0, _TIOCSCTTY)),  # ioctl
    _Call(157, 167, (libc.PR_SET_PDEATHSIG, signal.SIGKILL)),  # prctl
    _Call(59, 221),  # execve
    _Call(1, 64),  # write
    _Call(3, 57),  # close
    _Call(231, 94),  # exit_group
)


@functools.lru_cache(maxsize=64)
def may_fork_and_execute(program: bytes) -> bool:
    """Whether a process that has this filter can still make the process of an exec session."""
    is_x86 = platform.machine() == "x86_64"
    return all(
        allows(program, call.x86_64 if is_x86 else call.aarch64, call.arguments) for call in _TO_FORK_AND_EXECUTE
    )


def allows(program: bytes, number: int, arguments: Sequence[int] = ()) -> bool:
    """Whether the call with this number of the machine's own architecture, and these arguments, is let through."""
    return answer(program, number, arguments) in (RET_ALLOW, RET_LOG)


def answer(program: bytes, number: int, arguments: Sequence[int] = ()) -> int:
    """The program's SECCOMP_RET value."""
    architecture = _AUDIT_ARCH.get(platform.machine(), 0)
    data = _DATA.pack(number, architecture, 0, *arguments, *([0] * (6 - len(arguments))))
    code = list(_INSTRUCTION.iter_unpack(program))
    value = position = 0
    while position < len(code):
        operation, if_true, if_false, k = code[position]
        position += 1
        if operation == _RETURN:
            return int(k)
        if operation == _LOAD:
            (value,) = struct.unpack_from("=I", data, k)
        elif operation == _AND:
            value &= k
        elif operation == _JUMP:
            position += k
        elif operation in _TESTS:
            position += if_true if _TESTS[operation](value, k) else if_false
        else:
            return RET_KILL
    return RET_KILL
