"""An exec session in a container whose first process has made cgroups of its own, as systemd does."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.containers.shim import entry
from engine.errors import SystemFailure

pytestmark = pytest.mark.kernel

UNIFIED = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))


@pytest.fixture
def nested() -> Iterator[Path]:
    """A cgroup below one that stands for a container's."""
    root = next((path for path in UNIFIED if (path / "cgroup.procs").exists()), None)
    if root is None:
        pytest.skip("no cgroup v2 tree is mounted")
    path = root / f"muelle-test-{os.getpid()}" / "init.scope"
    path.mkdir(parents=True)
    yield path
    path.rmdir()
    path.parent.rmdir()


@pytest.fixture
def init(nested: Path) -> Iterator[int]:
    """A pidfd of a process that lives there."""
    with subprocess.Popen(["sleep", "100"]) as process:
        (nested / "cgroup.procs").write_text(str(process.pid))
        pidfd = os.pidfd_open(process.pid)
        yield pidfd
        os.close(pidfd)
        process.kill()


def busy(joined: list[list[str]], paths: list[str]) -> None:
    joined.append(paths)
    if len(joined) == 1:
        raise OSError(errno.EBUSY, "Device or resource busy")


def test_it_joins_the_first_process(nested: Path, init: int, monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[list[str]] = []
    monkeypatch.setattr(entry, "join_cgroups", lambda paths: busy(joined, paths))
    own = [f"{nested.parent}/cgroup.procs"]
    entry._enter_cgroups(own, init)
    assert joined == [own, [f"{nested}/cgroup.procs"]]


def test_it_does_not_follow_it_out_of_the_container(nested: Path, init: int, monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[list[str]] = []
    monkeypatch.setattr(entry, "join_cgroups", lambda paths: busy(joined, paths))
    with pytest.raises(SystemFailure, match="has left its cgroup"):
        entry._enter_cgroups([f"{nested.parent.parent}/another/cgroup.procs"], init)
    assert len(joined) == 1
