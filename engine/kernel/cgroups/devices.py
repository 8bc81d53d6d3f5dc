"""Which devices the processes of a cgroup may use: the rules, and the two forms in which kernels take them.

cgroup v1 takes lines in devices.allow. cgroup v2 asks a BPF program of type CGROUP_DEVICE at every open(2) and
mknod(2); it is assembled here, instruction by instruction. See Documentation/admin-guide/cgroup-v1/devices.rst and
include/uapi/linux/bpf.h (struct bpf_cgroup_dev_ctx).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import NamedTuple

from engine.errors import InvalidArgument

_LARGEST = 2**32 - 1  # of a number, in both forms
_RULE = re.compile(r"([abc]) ([0-9]{1,10}|\*):([0-9]{1,10}|\*) ([rwm]{1,3})")


class Rule(NamedTuple):
    """Allows ``access`` (letters of "rwm") to devices; ``major`` or ``minor`` of None means any."""

    kind: str  # "b" block, "c" character, "a" both
    major: int | None
    minor: int | None
    access: str

    def __str__(self) -> str:
        """As cgroup v1's devices.allow takes it."""
        major, minor = ("*" if number is None else number for number in (self.major, self.minor))
        return f"{self.kind} {major}:{minor} {self.access}"

    @property
    def is_everything(self) -> bool:
        return self.kind == "a" and self.major is self.minor is None and set(self.access) == set("rwm")

    @classmethod
    def parse(cls, text: str) -> Rule:
        """The form of ``--device-cgroup-rule``. Raises InvalidArgument."""
        match = _RULE.fullmatch(text)
        if not match:
            raise InvalidArgument(f"invalid device cgroup rule format: '{text}'")
        kind, *numbers, access = match.groups()
        major, minor = (None if number == "*" else int(number) for number in numbers)
        if any(number is not None and number > _LARGEST for number in (major, minor)):
            raise InvalidArgument(f"invalid device cgroup rule format: '{text}'")
        return cls(kind, major, minor, access)


# Instruction codes and context values, include/uapi/linux/bpf.h.
_LOAD_WORD = 0x61  # BPF_LDX | BPF_MEM | BPF_W
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_SHIFT_RIGHT = 0x74  # BPF_ALU | BPF_RSH | BPF_K
_MOVE = 0xBC  # BPF_ALU | BPF_MOV | BPF_X
_SET = 0xB4  # BPF_ALU | BPF_MOV | BPF_K
_UNLESS_EQUAL = 0x55  # BPF_JMP | BPF_JNE | BPF_K
_UNLESS_SAME = 0x5D  # BPF_JMP | BPF_JNE | BPF_X
_EXIT = 0x95
_KINDS = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}
_VERDICT, _SCRATCH, _KIND, _WANTED, _MAJOR, _MINOR = range(6)  # registers r0 to r5; r1 holds the context at entry


def _instruction(code: int, target: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("<BBhI", code, source << 4 | target, offset, value)


def program(allowed: Iterable[Rule]) -> bytes:
    """The BPF program that answers 1 for what a rule allows and 0 for everything else.

    It ends with a rule that allows everything: the kernel refuses instructions that cannot be reached.
    """
    code = [
        _instruction(_LOAD_WORD, _KIND, 1, 0),
        _instruction(_MOVE, _WANTED, _KIND),
        _instruction(_AND, _KIND, value=0xFFFF),
        _instruction(_SHIFT_RIGHT, _WANTED, value=16),
        _instruction(_LOAD_WORD, _MAJOR, 1, 4),
        _instruction(_LOAD_WORD, _MINOR, 1, 8),
    ]
    for rule in allowed:
        code += _allow(rule)
        if rule.is_everything:
            break
    else:
        code += [_instruction(_SET, _VERDICT, value=0), _instruction(_EXIT)]
    return b"".join(code)


def _allow(rule: Rule) -> list[bytes]:
    """One rule: tests that jump over its verdict, and the verdict. Jumps count from the instruction after them."""
    tests: list[tuple[int, int, int, int]] = []  # code, target, source, value
    if rule.kind != "a":
        tests.append((_UNLESS_EQUAL, _KIND, 0, _KINDS[rule.kind]))
    mask = sum(_ACCESS[letter] for letter in set(rule.access))
    if mask != 7:
        tests.append((_MOVE, _SCRATCH, _WANTED, 0))
        tests.append((_AND, _SCRATCH, 0, mask))
        tests.append((_UNLESS_SAME, _SCRATCH, _WANTED, 0))
    for register, number in ((_MAJOR, rule.major), (_MINOR, rule.minor)):
        if number is not None:
            tests.append((_UNLESS_EQUAL, register, 0, number))
    length = len(tests) + 2
    jumps = (_UNLESS_EQUAL, _UNLESS_SAME)
    code = [
        _instruction(op, target, source, length - position - 1 if op in jumps else 0, value)
        for position, (op, target, source, value) in enumerate(tests)
    ]
    return [*code, _instruction(_SET, _VERDICT, value=1), _instruction(_EXIT)]
