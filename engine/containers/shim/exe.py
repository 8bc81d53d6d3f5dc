"""Runs this interpreter from a sealed copy in memory.

A container's command may be a link to /proc/self/exe and so make the kernel run our own interpreter inside the
container, which then holds a way to the file on the host's disk (CVE-2019-5736). A sealed memfd cannot be overwritten.
"""

from __future__ import annotations

import fcntl
import os
import sys

_NAME = "muelle-python"
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE

# Output is handled in pieces of some hundred kilobytes, which malloc would give back to the kernel each time, and get
# again page by page: half of the time that a log takes. Bytes; mallopt(3).
_MALLOC = {"MALLOC_TRIM_THRESHOLD_": "1048576", "MALLOC_MMAP_THRESHOLD_": "1048576"}


def seal() -> None:
    """Start again from a sealed copy, unless that has been done.

    Descriptors that our own starter left open are closed: every container would inherit them.
    """
    if os.readlink("/proc/self/exe").startswith(f"/memfd:{_NAME}"):
        return
    fd = os.memfd_create(_NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open("/proc/self/exe", "rb") as source:
        size = os.fstat(source.fileno()).st_size
        offset = 0
        while offset < size:
            offset += os.sendfile(fd, source.fileno(), offset, size - offset)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    os.closerange(3, fd)
    os.closerange(fd + 1, os.sysconf("SC_OPEN_MAX"))
    os.execve(fd, sys.orig_argv, os.environ | _MALLOC)
