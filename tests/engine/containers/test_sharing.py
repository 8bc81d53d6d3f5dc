"""What a container shares with the host or another one: mount propagation, shared memory, read-only trees."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.containers import resources, runtime, spec
from engine.containers.config import complete_host_config
from engine.containers.config.mounts import Mount
from engine.containers.shim import shm
from engine.containers.spec import Peer
from engine.errors import Conflict, InvalidArgument
from tests.engine.containers.conftest import Container, drain

if TYPE_CHECKING:
    from engine.layout import Layout

pytestmark = pytest.mark.kernel

MAY_MOUNT = {"CapAdd": ["SYS_ADMIN"]}


def mount(*words: str | Path) -> None:
    subprocess.run(["mount", *words], check=True)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A mount of the host with another one below it, both shared."""
    top = tmp_path / "tree"
    top.mkdir()
    mount("-t", "tmpfs", "tmpfs", top)
    (top / "below").mkdir()
    mount("-t", "tmpfs", "tmpfs", top / "below")
    for name in ("later", "inner", "below/inner"):
        (top / name).mkdir()
    mount("--make-rshared", top)
    yield top
    subprocess.run(["umount", "-R", top], check=True)


def mounted(path: Path) -> bool:
    return any(line.split()[4] == str(path) for line in Path("/proc/self/mountinfo").read_text().splitlines())


def bind(source: Path, propagation: str, target: str = "/data") -> Mount:
    return Mount("bind", str(source), target, propagation=propagation)


# Propagation


@pytest.mark.parametrize(
    ("propagation", "outward"), [("shared", True), ("rshared", True), ("rslave", False), ("", False)]
)
def test_a_mount_in_the_container_appears_on_the_host(
    container: Container, tree: Path, propagation: str, outward: bool
) -> None:
    script = "mount -t tmpfs tmpfs /data/inner && mount -t tmpfs tmpfs /data/below/inner && echo done"
    with container.attach() as connection:
        container.start("sh", "-c", script, mounts=(bind(tree, propagation),), host=MAY_MOUNT)
        assert drain(connection) == b"done\n"
    container.wait()
    assert (mounted(tree / "inner"), mounted(tree / "below/inner")) == (outward, outward)


@pytest.mark.parametrize(
    ("propagation", "inward"),
    [("shared", True), ("rshared", True), ("slave", True), ("rslave", True), ("rprivate", False)],
)
def test_a_mount_of_the_host_appears_in_the_container(
    container: Container, tree: Path, propagation: str, inward: bool
) -> None:
    container.start("sleep", "60", mounts=(bind(tree, propagation),))
    mount("-t", "tmpfs", "tmpfs", tree / "later")
    (tree / "later/seen").touch()
    output, _ = container.exec("ls", "/data/later")
    assert output == (b"seen\n" if inward else b"")


@pytest.mark.parametrize("propagation", ["shared", "rshared", "slave", "rslave"])
def test_the_source_must_propagate(container: Container, tree: Path, propagation: str) -> None:
    mount("--make-rprivate", tree)
    kind = "shared" if "shared" in propagation else "shared or slave"
    text = f"path {tree}/inner is mounted on {tree} but it is not a {kind} mount"
    with pytest.raises(InvalidArgument, match=text):
        container.start("true", mounts=(bind(tree / "inner", propagation),))


def test_a_slave_can_be_a_slaves(container: Container, tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    mount("--bind", tree, copy)
    mount("--make-slave", copy)
    try:
        container.start("sleep", "60", mounts=(bind(copy, "rslave"),))
        mount("-t", "tmpfs", "tmpfs", tree / "later")
        assert b"/data/later" in container.exec("cat", "/proc/mounts")[0]
    finally:
        subprocess.run(["umount", "-R", copy], check=True)


def test_nothing_of_a_start_lands_in_a_shared_mount(container: Container, tree: Path, tmp_path: Path) -> None:
    inner = Mount("bind", str(tmp_path), "/data/inner")
    with pytest.raises(InvalidArgument, match="/data/inner of the container cannot lie in a mount that is shared"):
        container.start("true", mounts=(bind(tree, "rshared"), inner))
    assert not mounted(tree / "inner")


def test_a_shared_mount_over_masked_paths_is_refused(container: Container, tree: Path) -> None:
    with pytest.raises(InvalidArgument, match="cannot lie in a mount that is shared"):
        container.start("true", mounts=(bind(tree, "rshared", "/etc"),), host={"MaskedPaths": ["/etc/passwd"]})


def test_a_terminal_stays_out_of_a_shared_dev(container: Container, tree: Path) -> None:
    (tree / "console").touch()
    (tree / "pts").mkdir()
    mount("-t", "devpts", "devpts", tree / "pts", "-o", "newinstance,ptmxmode=0666")
    with container.attach() as connection:
        container.start("tty", mounts=(bind(tree, "rshared", "/dev"),), Tty=True)
        assert drain(connection).startswith(b"/dev/pts/")
    assert not mounted(tree / "console")


# Read-only binds


@pytest.mark.parametrize(("recursive", "expected"), [(True, "ro ro"), (False, "ro rw")])
def test_how_deep_read_only_goes(container: Container, tree: Path, recursive: bool, expected: str) -> None:
    script = "for p in /data /data/below; do touch $p/x 2>/dev/null && echo -n 'rw ' || echo -n 'ro '; done"
    point = bind(tree, "rprivate")._replace(read_only=True, read_only_recursive=recursive)
    assert container.output("sh", "-c", script, mounts=(point,)).strip() == expected


# Namespaces of another container


@pytest.mark.parametrize("mode", ["NetworkMode", "IpcMode", "UTSMode"])
def test_a_number_that_has_passed_to_another_process_is_not_joined(
    container: Container, donor: Container, mode: str
) -> None:
    """As after a reboot: what ran as a container then may be a process of the host now."""
    donor.start("sleep", "60", host={"IpcMode": "shareable"})
    of_host = peer(donor)._replace(pid=os.getpid())
    with pytest.raises(InvalidArgument, match="a container that has just ended"):
        join(container, donor, "true", mode=mode, at=of_host)


def test_shared_memory_of_a_number_that_has_passed_to_another_process() -> None:
    with pytest.raises(Conflict, match="a container that has just ended"):
        shm.open_source({"pid": os.getpid(), "start_time": 1})


def test_a_network_namespace_is_joined(container: Container, donor: Container) -> None:
    donor.start("sh", "-c", "readlink /proc/self/ns/net > /tmp/net; sleep 60")
    _await(donor, "/tmp/net")
    theirs, _ = donor.exec("cat", "/tmp/net")
    assert join(container, donor, "readlink", "/proc/self/ns/net", mode="NetworkMode").encode() == theirs


# Shared memory


@pytest.fixture
def donor(engine: Layout) -> Iterator[Container]:
    made = Container(engine, "d0" * 32)
    yield made
    runtime.delete(engine, made.id)


def peer(donor: Container) -> Peer:
    state = runtime.state(donor.layout, donor.id)
    assert state is not None
    return Peer(state.pid, state.start_time)


def join(container: Container, donor: Container, *args: str, mode: str = "IpcMode", at: Peer | None = None) -> str:
    plain = container.specification(*args, host={mode: f"container:{donor.id}"})
    described = spec.build(container.layout, plain._replace(peers={donor.id: at or peer(donor)}))
    with container.attach() as connection:
        runtime.start(container.layout, container.id, described, resources.limits(plain.host_config))
        return drain(connection).decode()


def test_shared_memory_of_another_container(container: Container, donor: Container) -> None:
    donor.start("sh", "-c", "echo there > /dev/shm/file; sleep 60", host={"IpcMode": "shareable"})
    _await(donor, "/dev/shm/file")
    assert join(container, donor, "sh", "-c", "cat /dev/shm/file; echo back > /dev/shm/answer") == "there\n"
    assert donor.exec("cat", "/dev/shm/answer") == (b"back\n", 0)


def _await(container: Container, path: str) -> None:
    deadline = time.monotonic() + 10
    while container.exec("test", "-s", path)[1]:
        assert time.monotonic() < deadline


@pytest.mark.parametrize("place", ["a directory of the host", "a link", "nothing"])
def test_only_a_tmpfs_is_taken_from_another_container(
    container: Container, donor: Container, tmp_path: Path, place: str
) -> None:
    scripts = {"a link": "umount /dev/shm; rmdir /dev/shm; ln -s /etc /dev/shm; ", "nothing": "umount /dev/shm; "}
    mounts = (Mount("bind", str(tmp_path), "/dev/shm"),) if place == "a directory of the host" else ()
    script = scripts.get(place, "") + "rmdir /dev/shm 2>/dev/null; echo 1 > /ready; sleep 60"
    donor.start("sh", "-c", script, mounts=mounts, host=MAY_MOUNT | {"IpcMode": "shareable"})
    _await(donor, "/ready")
    with pytest.raises(InvalidArgument, match="cannot share /dev/shm"):
        join(container, donor, "true")


def test_shared_memory_of_the_host(container: Container) -> None:
    name = f"muelle-test-{container.id[:8]}"
    path = Path("/dev/shm", name)
    path.write_text("of the host\n")
    try:
        script = f"cat /dev/shm/{name}; grep ' /dev/shm ' /proc/mounts"
        output = container.output("sh", "-c", script, host={"IpcMode": "host"})
    finally:
        path.unlink()
    assert output.startswith("of the host\ntmpfs /dev/shm tmpfs rw,nosuid,nodev,noexec")


def test_no_shared_memory(container: Container) -> None:
    assert container.output("ls", "/dev/shm", host={"IpcMode": "none"}) == "ls: /dev/shm: No such file or directory\n"


def test_private_memory_stays_private(container: Container) -> None:
    assert container.output("ls", "-A", "/dev/shm") == ""


# The network's settings


def test_low_ports_and_ping_need_no_root(container: Container) -> None:
    files = "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/net/ipv4/ping_group_range"
    assert container.output("cat", *files).split() == ["0", "0", "2147483647"]


def test_the_users_word_on_low_ports_wins(container: Container) -> None:
    host = {"Sysctls": {"net.ipv4.ip_unprivileged_port_start": "512"}}
    assert container.output("cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start", host=host) == "512\n"


@pytest.mark.parametrize("mode", ["host", "container:x"])
def test_a_shared_network_is_left_alone(container: Container, mode: str) -> None:
    assert list(spec._sysctls(complete_host_config({"NetworkMode": mode}))) == []
