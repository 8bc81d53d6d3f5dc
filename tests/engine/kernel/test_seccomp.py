"""Seccomp filters as a process under them sees the kernel. It keeps all capabilities: only the filter can refuse."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidArgument
from engine.kernel import capabilities, libc, libseccomp, seccomp
from engine.kernel.seccomp_profile import DEFAULT

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers below are those of x86_64")

CALLS = {
    "getpid": (39,),
    "socket_inet": (41, 2, 1, 0),
    "socket_vsock": (41, 40, 1, 0),
    "clone_newuser": (56, libc.CLONE_NEWUSER, 0, 0, 0, 0),
    "ptrace": (101, -1, 0, 0, 0),
    "syslog": (103, 3, 0, 0),
    "personality_query": (135, 0xFFFFFFFF),
    "personality_no_randomize": (135, 0x0040000),
    "chroot": (161, 0),
    "mount": (165, 0, 0, 0, 0, 0),
    "umount2": (166, 0, 0),
    "reboot": (169, 0, 0, 0, 0),
    "add_key": (248, 0, 0, 0, 0, 0),
    "keyctl": (250, -1, 0, 0, 0, 0),
    "unshare": (272, 0),
    "open_by_handle_at": (304, -1, 0, 0),
    "setns": (308, -1, 0),
    "kexec_file_load": (320, -1, -1, 0, 0, 0),
    "bpf": (321, -1, 0, 0),
    "userfaultfd": (323, -1),
    "io_uring_setup": (425, 0, 0),
    "clone3": (435, 0, 0),
    "unheard_of": (4000,),
}


def answers(program: bytes, calls: dict[str, tuple[int, ...]] = CALLS) -> dict[str, int]:
    """The errno of each call, 0 for success, in a child under ``program``."""
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    wide = {name: [ctypes.c_long(number) for number in call] for name, call in calls.items()}
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
            libc.set_seccomp_filter(program)
            found = {name: 0 if syscall(*call) >= 0 else ctypes.get_errno() for name, call in wide.items()}
            os.write(writer, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as file:
        text = file.read()
    os.waitpid(pid, 0)
    assert text, "the child died under its filter"
    return dict(json.loads(text))


@pytest.mark.kernel
def test_the_default_profile_answers_as_docker_does(tmp_path: Path) -> None:
    allowed = {
        "getpid": 0,
        "socket_inet": 0,
        "ptrace": errno.ESRCH,
        "personality_query": 0,
        "chroot": errno.EFAULT,
        "clone3": errno.ENOSYS,
        "unheard_of": errno.ENOSYS,
    }
    expected = {name: allowed.get(name, errno.EPERM) for name in CALLS}
    assert answers(seccomp.program(capabilities.DEFAULT, cache=tmp_path)) == expected


@pytest.mark.kernel
def test_capabilities_open_their_calls(tmp_path: Path) -> None:
    program = seccomp.program(capabilities.DEFAULT | {"CAP_SYS_ADMIN"}, cache=tmp_path)
    names = ("mount", "umount2", "unshare", "setns", "clone3", "keyctl", "open_by_handle_at")
    found = answers(program, {name: CALLS[name] for name in names})
    assert found["keyctl"] == found["open_by_handle_at"] == errno.EPERM
    assert found["unshare"] == 0
    assert found["setns"] == errno.EBADF
    assert found["clone3"] == errno.EINVAL
    assert errno.EPERM not in (found["mount"], found["umount2"])


def test_a_filter_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = seccomp.program(frozenset(), cache=tmp_path)
    seccomp._program.cache_clear()
    monkeypatch.setattr(libseccomp, "build", lambda *_: pytest.fail("built again"))
    assert seccomp.program(frozenset(), cache=tmp_path) == first
    assert len(list((tmp_path / "seccomp").iterdir())) == 1


@pytest.mark.kernel
def test_a_profile_of_the_user_is_obeyed(tmp_path: Path) -> None:
    document = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}],
        "syscalls": [
            {"names": ["chroot", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOTTY},
            {
                "name": "personality",
                "action": "SCMP_ACT_ERRNO",
                "args": [
                    {"index": 0, "value": 0xFFFFFFFF, "op": "SCMP_CMP_EQ"},
                    {"index": 0, "value": 8, "op": "SCMP_CMP_EQ"},
                ],
            },
            {"names": ["getpid"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["unshare"], "action": "SCMP_ACT_ERRNO", "excludes": {"arches": ["amd64"]}},
        ],
    }
    program = seccomp.program(capabilities.DEFAULT, seccomp.parse_profile(document), tmp_path)
    found = answers(program, {name: CALLS[name] for name in ("chroot", "personality_query", "getpid", "unshare")})
    assert found == {"chroot": errno.ENOTTY, "personality_query": errno.EPERM, "getpid": 0, "unshare": 0}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"defaultAction": "SCMP_ACT_NOTIFY"},
        {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{}]},
        {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "allow"}]},
        {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": 5},
        {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [
                {"names": ["a"], "action": "SCMP_ACT_KILL", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}
            ],
        },
    ],
)
def test_a_bad_profile_is_refused(document: Any) -> None:
    with pytest.raises(InvalidArgument, match="Decoding seccomp profile failed: "):
        seccomp.parse_profile(document)


KEYS = ("defaultAction", "syscalls", "names", "name", "action", "args", "includes", "excludes", "caps", "archMap")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(KEYS), JSON) | JSON)
def test_parsing_raises_nothing_but_the_documented_error(document: Any) -> None:
    if isinstance(document, dict):
        document["defaultAction"] = "SCMP_ACT_ERRNO"
    try:
        seccomp.parse_profile(document)
    except InvalidArgument:
        return


def test_no_call_is_listed_twice_without_condition() -> None:
    plain = list(DEFAULT.rules[0].names)
    assert len(plain) == len(set(plain))
