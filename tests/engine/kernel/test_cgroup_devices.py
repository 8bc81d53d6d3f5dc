"""Device rules: their text, and the BPF program against an interpreter of the few instructions it uses."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidArgument
from engine.kernel.cgroups import bpf, files
from engine.kernel.cgroups.devices import Rule, program

SOME = (Rule("c", None, None, "m"), Rule("c", 1, 3, "rwm"), Rule("c", 136, None, "rwm"))
NUMBERS = st.integers(0, 4)
ACCESS = st.sets(st.sampled_from("rwm"), min_size=1)
RULES = st.builds(
    Rule,
    st.sampled_from("abc"),
    st.none() | NUMBERS,
    st.none() | NUMBERS,
    ACCESS.map(lambda letters: "".join(sorted(letters))),
)
UNIFIED = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
MASK = {"m": 1, "r": 2, "w": 4}


def interpret(code: bytes, kind: int, access: int, major: int, minor: int) -> int:
    """Run a program of the subset of BPF that `program` emits."""
    context = {0: kind | access << 16, 4: major, 8: minor}
    registers = [0] * 11
    at = 0
    while True:
        op, both, offset, value = struct.unpack_from("<BBhI", code, 8 * at)
        target, source = both & 15, both >> 4
        at += 1
        if op == 0x61:
            registers[target] = context[offset]
        elif op == 0xBC:
            registers[target] = registers[source]
        elif op == 0xB4:
            registers[target] = value
        elif op == 0x54:
            registers[target] &= value
        elif op == 0x74:
            registers[target] >>= value
        elif op == 0x55:
            at += offset if registers[target] != value else 0
        elif op == 0x5D:
            at += offset if registers[target] != registers[source] else 0
        else:
            assert op == 0x95
            return registers[0]


def allowed(rule: Rule, kind: str, access: set[str], major: int, minor: int) -> bool:
    return (
        rule.kind in ("a", kind)
        and rule.major in (None, major)
        and rule.minor in (None, minor)
        and access <= set(rule.access)
    )


@given(
    st.lists(RULES, max_size=5), st.sampled_from("bc"), st.sets(st.sampled_from("rwm"), min_size=1), NUMBERS, NUMBERS
)
def test_the_program_decides_as_the_rules_say(
    chosen: list[Rule], kind: str, access: set[str], major: int, minor: int
) -> None:
    mask = sum(MASK[letter] for letter in access)
    answer = interpret(program(chosen), {"b": 1, "c": 2}[kind], mask, major, minor)
    assert answer == any(allowed(rule, kind, access, major, minor) for rule in chosen)


@pytest.mark.kernel
def test_the_kernel_accepts_the_program() -> None:
    os.close(bpf.load(program(SOME)))
    os.close(bpf.load(program([Rule("a", None, None, "rw"), Rule("b", 2**32 - 1, 0, "m")])))
    os.close(bpf.load(program([*SOME, Rule("a", None, None, "rwm"), Rule("b", 1, 0, "m")])))


@given(RULES)
def test_a_rule_reads_what_it_writes(rule: Rule) -> None:
    assert Rule.parse(str(rule)) == rule


@pytest.mark.parametrize(
    "text", ["", "c 1:3", "x 1:3 r", "c 1:3 rwmx", "c -1:3 r", "c 4294967296:0 r", "c 1:3 r\n", "c \u0661:3 r"]
)
def test_a_bad_rule_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid device cgroup rule format"):
        Rule.parse(text)


@pytest.mark.kernel
def test_the_kernel_enforces_an_attached_program(tmp_path: Path) -> None:
    root = next((path for path in UNIFIED if (path / "cgroup.procs").exists()), None)
    if root is None:
        pytest.skip("no cgroup v2 tree is mounted")
    forbidden, directory = tmp_path / "kmsg", root / f"muelle-test-{os.getpid()}"
    os.mknod(forbidden, 0o020666, os.makedev(1, 11))
    directory.mkdir()
    try:
        bpf.attach(str(directory), program(SOME))
        script = f"echo 0 > {directory}/cgroup.procs; : < /dev/null; (: < {forbidden}) 2>/dev/null || echo refused"
        assert subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout == b"refused\n"
    finally:
        files.remove(str(directory))
