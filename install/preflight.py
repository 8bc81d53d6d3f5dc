"""What must hold before anything is installed or started, each with a message that says what to do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from install.steps import Failure, step

if TYPE_CHECKING:
    from install.settings import Settings

UNIX_PATH_MAX = 107  # unix(7): sun_path holds 108 bytes with the terminating zero
SHIM_NAME = "0" * 64
MINIMUM_KERNEL = (5, 12)  # mount_setattr(2)


def check(settings: Settings) -> None:
    with step("This machine") as running:
        _check_root()
        _check_python()
        _check_kernel()
        _check_cgroups()
        _check_overlay()
        _check_socket_paths(settings)
        running.done(f"Linux {os.uname().release}, cgroup {'v2' if _unified() else 'v1'}")


def check_port(settings: Settings) -> None:
    """Raise Failure when something else listens on the panel's address."""
    host, port = settings.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Failure(
                f"cannot listen on {settings.bind}: {error.strerror.lower() if error.strerror else error}",
                f"choose another port: MUELLE_BIND={host or '127.0.0.1'}:{port + 1} ./muelle up",
            ) from error


def _check_root() -> None:
    if os.geteuid():
        raise Failure("this needs root", "run it with sudo, or as root")


def _check_python() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 (an older one runs this very line)
        raise Failure(f"Python {sys.version.split()[0]} is too old; 3.11 or newer is needed", "use Debian 12 or newer")


def _check_kernel() -> None:
    release = os.uname().release
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2])
    if numbers < MINIMUM_KERNEL:
        raise Failure(f"Linux {release} is too old; {'.'.join(map(str, MINIMUM_KERNEL))} or newer is needed")


def _unified() -> bool:
    return Path("/sys/fs/cgroup/cgroup.controllers").exists()


def _check_cgroups() -> None:
    if not _unified() and not list(Path("/sys/fs/cgroup").glob("*/tasks")):
        raise Failure("no cgroup hierarchy is mounted below /sys/fs/cgroup", "mount -t cgroup2 none /sys/fs/cgroup")


def _check_overlay() -> None:
    filesystems = Path("/proc/filesystems")
    if "\toverlay\n" not in filesystems.read_text():
        subprocess.run(["modprobe", "overlay"], capture_output=True, check=False)
    if "\toverlay\n" not in filesystems.read_text():
        raise Failure("this kernel has no overlayfs", "load the module: modprobe overlay")


def _check_socket_paths(settings: Settings) -> None:
    longest = len(os.fsencode(settings.layout.shim_socket(SHIM_NAME)))
    if longest > UNIX_PATH_MAX:
        raise Failure(
            f"MUELLE_RUN={settings.layout.run} is {longest - UNIX_PATH_MAX} bytes too long: "
            f"a UNIX socket's path holds {UNIX_PATH_MAX}",
            "choose a shorter MUELLE_RUN, for example below /run",
        )
