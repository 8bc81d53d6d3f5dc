"""What a container, an image or a client must not achieve, through the docker command."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from docker import DockerClient, errors

from tests.support.archives import busybox_layer, docker_archive
from tests.support.docker import Docker
from tests.system.waiting import inspect

if TYPE_CHECKING:
    from docker.models.containers import Container

VOLUME_ON_DEV = "muelle-system-dev:latest"
VOLUME_ON_PROC = "muelle-system-proc:latest"


def loaded(docker: Docker, name: str, volume: str) -> str:
    docker("load", stdin=docker_archive([name], [busybox_layer()], {"Volumes": {volume: {}}}))
    return name


@pytest.fixture
def hostile(docker: Docker) -> Iterator[None]:
    yield
    docker.run("rmi", "-f", VOLUME_ON_DEV, VOLUME_ON_PROC)


@pytest.mark.usefixtures("hostile")
def test_an_image_cannot_switch_masked_paths_off(docker: Docker) -> None:
    """CVE-2025-31133: an image's volume on /dev has no ``null`` to mask with."""
    image = loaded(docker, VOLUME_ON_DEV, "/dev")
    hidden = next(path for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list") if Path(path).exists())
    assert docker("run", "--rm", image, "stat", "-c", "%F %t:%T", hidden) == "character special file 1:3"


@pytest.mark.usefixtures("hostile")
def test_an_images_volume_never_covers_proc(docker: Docker) -> None:
    result = docker.run("run", "--rm", loaded(docker, VOLUME_ON_PROC, "/proc"), "true")
    assert result.returncode in (125, 127)
    assert b'"/proc" cannot be mounted because it is not of type proc' in result.stderr


def test_a_bind_inside_proc_is_refused(docker: Docker, image: str, tmp_path: Path) -> None:
    result = docker.run("run", "--rm", "-v", f"{tmp_path}:/proc/sys", image, "true")
    assert b'"/proc/sys" cannot be mounted because it is inside /proc' in result.stderr


def test_release_agent(docker: Docker, image: str) -> None:
    """With CAP_SYS_ADMIN a container may mount cgroup v1; the agent of the host must not be there."""
    script = """
        mkdir /tmp/x
        for tree in $(sed -n 's/^[1-9][0-9]*:\\(.*\\):.*/\\1/p' /proc/self/cgroup); do
            case $tree in name=*) tree=none,$tree;; esac
            mount -t cgroup -o $tree cgroup /tmp/x || continue
            find /tmp/x -name release_agent
            umount /tmp/x
        done
        echo looked
    """
    words = ("--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined")
    assert docker("run", "--rm", *words, image, "sh", "-c", script) == "looked"


def test_the_cgroup_namespace_is_private_by_default(docker: Docker, image: str) -> None:
    identity = docker("create", image, "cat", "/proc/self/cgroup")
    assert inspect(docker, identity)["HostConfig"]["CgroupnsMode"] == "private"
    assert {line.split(":", 2)[2] for line in docker("start", "-a", identity).splitlines()} == {"/"}


def test_shared_memory_goes_with_the_ipc_namespace(docker: Docker, image: str) -> None:
    docker("run", "-d", "--name", "donor", "--ipc", "shareable", image, "sh", "-c", "echo a > /dev/shm/f; sleep 1000")
    read = ("cat", "/dev/shm/f")
    deadline = time.monotonic() + 20
    while docker("exec", "donor", *read, check=False) != "a":
        assert time.monotonic() < deadline
    assert docker("run", "--rm", "--ipc", "container:donor", image, *read) == "a"
    assert docker.run("run", "--rm", "--ipc", "none", image, "ls", "/dev/shm").returncode == 1
    assert docker("run", "--rm", image, "ls", "-A", "/dev/shm") == ""


def test_shared_memory_of_the_host(docker: Docker, image: str, tmp_path: Path) -> None:
    path = Path("/dev/shm") / f"{tmp_path.name}-{os.getpid()}"
    path.write_text("host")
    try:
        assert docker("run", "--rm", "--ipc", "host", image, "cat", str(path)) == "host"
    finally:
        path.unlink()


def test_low_ports_need_no_root(docker: Docker, image: str) -> None:
    script = "nc -l -p 80 & sleep 0.3; netstat -ltn | grep -c ':80 '; kill %1"
    assert docker("run", "--rm", "-u", "nobody", "--cap-drop", "ALL", image, "sh", "-c", script) == "1"


def test_no_working_directory_of_the_host(docker: Docker, image: str, idle: str) -> None:
    """CVE-2024-21626."""
    for number in range(3, 12):
        directory = f"/proc/self/fd/{number}"
        assert docker.run("exec", "-w", directory, idle, "true").returncode in (126, 127), directory
        assert docker.run("run", "--rm", "-w", directory, image, "true").returncode in (125, 126, 127), directory


# A client is told nothing of the host


def test_exec_that_meets_the_end_is_a_conflict(client: DockerClient, image: str) -> None:
    """In the moment of the end some come too late at the row, some at the shim, some in the container."""
    answers: list[errors.APIError] = []

    def run_until_refused(container_id: str) -> None:
        try:
            while True:
                session = client.api.exec_create(container_id, "true")
                client.api.exec_start(session, detach=True)
        except errors.APIError as error:
            answers.append(error)

    for _ in range(5):
        container = client.containers.run(image, ["sleep", "0.7"], detach=True)
        threads = [threading.Thread(target=run_until_refused, args=(container.id,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [str(error) for error in answers if error.response.status_code != 409] == []
    assert {error.explanation.replace(error.explanation.split()[1], "X") for error in answers} <= {
        "container X is not running", "Container X is not running",
    }  # fmt: skip


def test_copies_that_meet_the_end_name_no_path_of_the_host(client: DockerClient, image: str) -> None:
    """A container that ends is copied from before, in between (or refused), and afterwards."""
    refusals: list[int] = []
    for _ in range(3):
        container = client.containers.run(image, ["sleep", "0.7"], detach=True)
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            refusals += _refusals(container)
    assert set(refusals) <= {409}


def _refusals(container: Container) -> list[int]:
    try:
        stream, _ = container.get_archive("/etc/passwd")
    except errors.APIError as error:
        return [error.response.status_code if error.explanation.endswith("is not running") else 0]
    return [] if b"root:" in b"".join(stream) else [0]


def test_a_link_that_is_swapped_while_it_is_copied(docker: Docker, image: str, tmp_path: Path) -> None:
    """CVE-2018-15664: the container changes a directory of the path for a link while the engine resolves it."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_text("of the host")
    script = f"mkdir -p /real /a; echo mine > /real/file; while :; do ln -sfn {secret} /a/x; ln -sfn /real /a/x; done"
    identity = docker("run", "-d", image, "sh", "-c", script)
    out, sent = tmp_path / "out", tmp_path / "sent"
    sent.mkdir()
    (sent / "evil").touch()
    for _ in range(20):
        if docker.run("cp", f"{identity}:/a/x/file", str(out)).returncode == 0:
            assert out.read_text() == "mine\n"
        docker.run("cp", str(sent / "evil"), f"{identity}:/a/x/")
    assert sorted(path.name for path in secret.iterdir()) == ["file"]


def test_no_library_of_a_container_is_loaded(docker: Docker, image: str) -> None:
    """CVE-2019-14271: dockerd's helper loaded libnss of the container, with its rights."""
    library = "/lib/x86_64-linux-gnu/libnss"
    script = f"mkdir -p ${{library%/*}}; for n in files dns compat; do echo evil > {library}_$n.so.2; done"
    script += "; echo 'passwd: evil' > /etc/nsswitch.conf; sleep 1000"
    identity = docker("run", "-d", image, "sh", "-c", f"library={library}; {script}")
    assert docker.run("cp", f"{identity}:/etc/passwd", "-").returncode == 0
    assert docker.run("cp", "-a", "/etc/hostname", f"{identity}:/tmp/").returncode == 0


def test_kernel_settings_are_out_of_reach(docker: Docker, image: str) -> None:
    script = (
        "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper; do echo x > $f; done"
    )
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    docker.run("run", "--rm", image, "sh", "-c", script)
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_oom_of_an_exec_session_is_an_event_at_once(docker: Docker, image: str) -> None:
    since = time.time()
    identity = docker("run", "-d", "-m", "16m", "--memory-swap", "16m", image, "sleep", "1000")
    assert docker.run("exec", identity, "sh", "-c", "x=y; while :; do x=$x$x; done").returncode == 137
    words = ("--since", f"{since:.9f}", "--filter", f"container={identity}", "--filter", "event=oom")
    deadline = time.monotonic() + 20
    while docker("events", *words, "--until", f"{time.time():.9f}", "--format", "{{.Action}}") != "oom":
        assert time.monotonic() < deadline
    assert inspect(docker, identity)["State"]["Running"] is True
