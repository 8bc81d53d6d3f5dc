"""Answers of system call filters, computed without the kernel."""

from __future__ import annotations

import platform
import struct

import pytest

from engine.kernel import capabilities, filters, libc, libseccomp
from engine.kernel.seccomp_profile import DEFAULT, Profile, Rule

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86_64")
CLONE, MOUNT, READ, X32 = 56, 165, 0, 1 << 30


@pytest.fixture(scope="module")
def program() -> bytes:
    return libseccomp.build(DEFAULT, capabilities.DEFAULT)


@pytest.mark.parametrize(
    ("number", "arguments", "allowed"),
    [
        (READ, (), True),
        (CLONE, (libc.CLONE_PARENT,), True),
        (CLONE, (libc.CLONE_NEWUSER,), False),
        (MOUNT, (), False),
        (100_000, (), False),
        (READ | X32, (), True),
    ],
)
def test_the_default_profile(program: bytes, number: int, arguments: tuple[int, ...], allowed: bool) -> None:
    assert filters.allows(program, number, arguments) is allowed


def test_capabilities_change_the_answer() -> None:
    program = libseccomp.build(DEFAULT, capabilities.DEFAULT | {"CAP_SYS_ADMIN"})
    assert filters.allows(program, MOUNT)
    assert filters.allows(program, CLONE, (libc.CLONE_NEWUSER,))


def test_an_exec_session_can_be_made_under_the_default_profile(program: bytes) -> None:
    assert filters.may_fork_and_execute(program)


@pytest.mark.parametrize("name", ["clone", "setsid", "execve", "ioctl", "prctl", "write", "exit_group"])
def test_one_call_less_and_it_cannot(name: str) -> None:
    forbidden = Profile("SCMP_ACT_ALLOW", 1, DEFAULT.architectures, (Rule((name,), "SCMP_ACT_ERRNO"),))
    assert not filters.may_fork_and_execute(libseccomp.build(forbidden, frozenset()))


@pytest.mark.parametrize("program", [b"", struct.pack("=HBBI", 0x07, 0, 0, 0), struct.pack("=HBBI", 0x05, 0, 0, 9)])
def test_what_is_not_understood_forbids(program: bytes) -> None:
    assert not filters.allows(program, READ)
