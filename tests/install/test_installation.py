"""Life of a whole installation: starting again, stopping, losing its supervisor, having a neighbour."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import cleanup, leaks
from tests.support.guardian import Guardian
from tests.support.installation import CHECKOUT, Installation, describe, running, scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.docker import Docker

pytestmark = pytest.mark.system
KILLED_RUN = """
import os, sys
from pathlib import Path
from tests.support.installation import running
with running() as installation:
    Path(sys.argv[1]).write_text(str(installation.layout.home.parent))
    os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def own() -> Iterator[Installation]:
    """An installation that these tests may stop."""
    with running() as started:
        yield started


@pytest.fixture
def container(own: Installation) -> Iterator[str]:
    docker = own.docker()
    name = docker("run", "-d", "busybox", "sleep", "1000")
    yield name
    own.up()
    docker("rm", "-f", name)


def test_a_second_up_changes_nothing(own: Installation) -> None:
    pids = _pids(own)
    output = own.up()
    assert _pids(own) == pids
    assert "Hello from a container" in output
    assert f"export DOCKER_HOST={own.docker_host}" in output
    assert f"http://127.0.0.1:{own.port}/" in output
    assert "Sign in" not in output


def test_status_names_every_service(own: Installation) -> None:
    result = own.muelle("status")
    assert result.returncode == 0, result.stdout
    for name in ("broker", "launcher", "monitor", "web", "worker-disk", "worker-lifecycle", "worker-transfer"):
        assert f"{name} " in result.stdout


def test_containers_outlive_down_and_are_known_after_up(own: Installation, container: str) -> None:
    docker = own.docker()
    pid = docker("inspect", "--format", "{{.State.Pid}}", container)
    assert own.muelle("down").returncode == 0
    assert own.muelle("status").returncode == 3
    assert Path("/proc", pid).exists()
    own.up()
    assert docker("inspect", "--format", "{{.State.Status}} {{.State.Pid}}", container) == f"running {pid}"


def test_services_without_a_supervisor_are_found_and_replaced(own: Installation, container: str) -> None:
    before = _pids(own)
    supervisor = int((own.layout.services / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    own.up()
    after = _pids(own)
    assert set(after) == set(before)
    assert not set(after.values()) & set(before.values())
    assert own.docker()("inspect", "--format", "{{.State.Running}}", container) == "true"


@pytest.mark.parametrize("name", ["web", "worker-lifecycle", "monitor", "launcher", "broker"])
def test_a_killed_service_comes_back(own: Installation, name: str) -> None:
    pid = _pids(own)[name]
    os.kill(pid, signal.SIGKILL)
    _wait_for_another(own, name, pid)
    own.up()
    assert own.docker()("run", "--rm", "busybox", "echo", "fine") == "fine"


def test_the_web_process_is_not_root_and_its_mounts_are_its_own(own: Installation) -> None:
    pid = _pids(own)["web"]
    status = Path(f"/proc/{pid}/status").read_text()
    uids = next(line.split()[1:] for line in status.splitlines() if line.startswith("Uid:"))
    assert "0" not in uids
    assert str(own.layout.application) in Path(f"/proc/{pid}/mountinfo").read_text()
    assert str(own.layout.application) not in Path("/proc/self/mountinfo").read_text()


def test_the_broker_has_no_capability_and_no_port(own: Installation) -> None:
    pid = _pids(own)["broker"]
    status = Path(f"/proc/{pid}/status").read_text()
    for line in status.splitlines():
        if line.startswith(("CapEff:", "CapPrm:", "CapBnd:")):
            assert int(line.split()[1], 16) == 0
    assert own.layout.broker_socket.stat().st_mode & 0o007 == 0


def test_two_installations_do_not_see_each_other(own: Installation, docker: Docker) -> None:
    ours = own.docker()("create", "--name", "same-name", "busybox")
    theirs = docker("create", "--name", "same-name", "busybox")
    assert ours != theirs
    own.docker()("rm", ours)
    assert docker("inspect", "--format", "{{.Id}}", "same-name") == theirs


def test_a_port_in_use_is_told_before_anything_starts(own: Installation) -> None:
    root = scratch()
    guardian = Guardian(root)
    try:
        neighbour = describe(root)
        taken = neighbour._replace(environment=neighbour.environment | {"MUELLE_BIND": f"127.0.0.1:{own.port}"})
        result = taken.muelle("up", "-d")
        assert result.returncode == 1
        assert "address already in use" in result.stderr
        assert "hint: choose another port" in result.stderr
        assert not cleanup.processes(taken.layout)
    finally:
        guardian.dismiss()


def test_a_killed_test_run_leaves_nothing(tmp_path: Path) -> None:
    note = tmp_path / "root"
    with leaks.none():
        result = subprocess.run([sys.executable, "-c", KILLED_RUN, str(note)], cwd=CHECKOUT, check=False)
        assert result.returncode == -signal.SIGKILL
        root = Path(note.read_text())
        deadline = time.monotonic() + 30
        while root.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not root.exists()


def _pids(installation: Installation) -> dict[str, int]:
    files = installation.layout.services.glob("*.pid")
    texts = {path.stem: path.read_text() for path in files if path.stem != "supervisord"}
    return {name: int(text) for name, text in texts.items() if text}  # empty: it is just being written


def _wait_for_another(installation: Installation, name: str, pid: int) -> None:
    deadline = time.monotonic() + 20
    while _pids(installation).get(name, pid) == pid:
        assert time.monotonic() < deadline, f"{name} did not come back\n{installation.logs()}"
        time.sleep(0.05)
