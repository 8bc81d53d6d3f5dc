"""Debian packages: which are needed for what, and installing only those that are missing."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from install.steps import Failure, Step, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

UP = ("python3-venv", "busybox-static", "libnftables1", "libseccomp2", "mount", "passwd", "tini")
TEST = (*UP, "chromium", "iproute2", "nftables", "shellcheck")
BENCH = (*UP, "iproute2", "nftables", "nginx-light", "wrk")

# A docker command from elsewhere serves as well as Debian's.
DOCKER_COMMAND = "docker.io"
# Asked by invoke-rc.d(8) and deb-systemd-invoke(1p) before they start anything.
POLICY = Path("/usr/sbin/policy-rc.d")


def ensure(names: Iterable[str]) -> None:
    """Install what is missing of these packages; raise Failure when that cannot be done here."""
    with step("System packages") as running:
        if shutil.which("dpkg-query") is None:
            running.done(f"not a Debian system; needed here: {' '.join(names)}")
            return
        absent = missing(names)
        if not absent:
            running.done("up to date")
            return
        _install(absent, running)


def for_tests() -> tuple[str, ...]:
    return TEST if shutil.which("docker") else (*TEST, DOCKER_COMMAND)


def missing(names: Iterable[str]) -> list[str]:
    """Those packages that are not installed, in the order given."""
    wanted = list(names)
    # dpkg-query fails when one name is unknown to it and still prints the others.
    result = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    installed = {line.split()[0] for line in result.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in wanted if name not in installed]


def _install(names: list[str], running: Step) -> None:
    if shutil.which("apt-get") is None:
        raise Failure(f"these packages are missing and there is no apt-get: {' '.join(names)}", "install them by hand")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        running.run(["apt-get", "-q", "update"], environment=quiet)
        with _no_daemons():
            running.run(["apt-get", "-q", "-y", "install", "--no-install-recommends", *names], environment=quiet)
    except Failure as failure:
        raise Failure(str(failure), f"install these packages and try again: {' '.join(names)}") from failure
    running.done(f"installed {' '.join(names)}")


@contextlib.contextmanager
def _no_daemons() -> Iterator[None]:
    """Packages that are wanted as tools (docker.io, nginx-light) must not start their daemons: policy-rc.d, 101."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
