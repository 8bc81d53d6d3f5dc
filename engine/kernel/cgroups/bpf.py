"""Loading a device program and attaching it to a cgroup v2 directory; bpf(2)."""

from __future__ import annotations

import ctypes
import os
import platform

_SYS_BPF = {"x86_64": 321, "aarch64": 280}.get(platform.machine(), 280)
_PROG_LOAD, _PROG_ATTACH = 5, 8
_PROG_TYPE_CGROUP_DEVICE, _CGROUP_DEVICE = 15, 6
_F_ALLOW_MULTI = 2

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _Load(ctypes.Structure):
    """The part of union bpf_attr that BPF_PROG_LOAD reads."""

    _fields_ = [
        ("prog_type", ctypes.c_uint32),
        ("insn_cnt", ctypes.c_uint32),
        ("insns", ctypes.c_uint64),
        ("license", ctypes.c_uint64),
        ("log_level", ctypes.c_uint32),
        ("log_size", ctypes.c_uint32),
        ("log_buf", ctypes.c_uint64),
    ]


class _Attach(ctypes.Structure):
    """The part of union bpf_attr that BPF_PROG_ATTACH reads."""

    _fields_ = [
        ("target_fd", ctypes.c_uint32),
        ("attach_bpf_fd", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("attach_flags", ctypes.c_uint32),
    ]


def _bpf(command: int, attributes: ctypes.Structure) -> int:
    size = ctypes.c_long(ctypes.sizeof(attributes))
    result = _libc.syscall(ctypes.c_long(_SYS_BPF), ctypes.c_long(command), ctypes.byref(attributes), size)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "bpf")
    return int(result)


def load(program: bytes) -> int:
    """Have the kernel verify a CGROUP_DEVICE program; returns its descriptor. Raises OSError."""
    code, licence = ctypes.create_string_buffer(program, len(program)), ctypes.create_string_buffer(b"Apache-2.0")
    return _bpf(
        _PROG_LOAD,
        _Load(
            prog_type=_PROG_TYPE_CGROUP_DEVICE,
            insn_cnt=len(program) // 8,
            insns=ctypes.addressof(code),
            license=ctypes.addressof(licence),
        ),
    )


def attach(directory: str, program: bytes) -> None:
    """Put a device program in charge of a cgroup; it stays until the cgroup is removed. Raises OSError."""
    target = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        loaded = load(program)
        try:
            _bpf(_PROG_ATTACH, _Attach(target, loaded, _CGROUP_DEVICE, _F_ALLOW_MULTI))
        finally:
            os.close(loaded)
    finally:
        os.close(target)
