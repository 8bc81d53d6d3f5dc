"""Bind mounts, volumes and tmpfs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archives import busybox_layer, docker_archive, layer, member
from tests.support.docker import Docker
from tests.system.waiting import api_version, eventually, inspect

WITH_DATA = "muelle-system-data:latest"


def test_a_directory_of_the_host(docker: Docker, image: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("from the host")
    script = "cat /data/in; echo from the container > /data/out"
    assert docker("run", "--rm", "-v", f"{tmp_path}:/data", image, "sh", "-c", script) == "from the host"
    assert (tmp_path / "out").read_text() == "from the container\n"


def test_a_file_of_the_host(docker: Docker, image: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    assert docker("run", "--rm", "-v", f"{tmp_path}/file:/etc/new/file", image, "cat", "/etc/new/file") == "content"


@pytest.mark.parametrize("option", ["-v", "--mount"])
def test_read_only(docker: Docker, image: str, tmp_path: Path, option: str) -> None:
    value = f"{tmp_path}:/data:ro" if option == "-v" else f"type=bind,src={tmp_path},dst=/data,readonly"
    result = docker.run("run", "--rm", option, value, image, "touch", "/data/x")
    assert (result.returncode, b"Read-only file system" in result.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_source_is_made_for_v_and_refused_for_mount(docker: Docker, image: str, tmp_path: Path) -> None:
    docker("run", "--rm", "-v", f"{tmp_path}/made:/data", image, "true")
    assert (tmp_path / "made").is_dir()
    result = docker.run("run", "--rm", "--mount", f"type=bind,src={tmp_path}/no,dst=/data", image, "true")
    assert result.returncode == 125
    assert b'invalid mount config for type "bind": bind source path does not exist' in result.stderr


def test_a_named_volume_outlives_containers(docker: Docker, image: str) -> None:
    docker("run", "--rm", "-v", "kept:/data", image, "sh", "-c", "echo saved > /data/file")
    assert docker("run", "--rm", "-v", "kept:/data:ro", image, "cat", "/data/file") == "saved"
    assert "kept" in docker("volume", "ls", "-q").split()


def test_a_new_volume_takes_over_the_images_content(docker: Docker, image: str) -> None:
    script = "ls /etc; stat -c %a:%u /etc"
    plain = docker("run", "--rm", image, "sh", "-c", "stat -c %a:%u /etc; cat /etc/passwd")
    docker("create", "--name", "filled", "-v", "content:/etc", image)
    output = docker("run", "--rm", "-v", "content:/other", image, "sh", "-c", "stat -c %a:%u /other; cat /other/passwd")
    assert output == plain
    assert "passwd" in docker("run", "--rm", "-v", "content:/etc", image, "sh", "-c", script)


def test_nocopy(docker: Docker, image: str) -> None:
    assert docker("run", "--rm", "-v", "empty:/bin2", "-v", "bare:/root:nocopy", image, "ls", "-A", "/root") == ""


def test_volumes_that_an_image_declares(docker: Docker, image: str) -> None:
    layers = [busybox_layer(), layer([(member("srv", mode=0o755, kind=b"5"), b""), (member("srv/seed"), b"grown")])]
    docker("load", stdin=docker_archive([WITH_DATA], layers, {"Volumes": {"/srv": {}}}))
    try:
        identity = docker("create", WITH_DATA, "cat", "/srv/seed")
        (mount,) = inspect(docker, identity)["Mounts"]
        assert (mount["Type"], mount["Destination"], mount["Driver"], mount["RW"]) == ("volume", "/srv", "local", True)
        assert len(mount["Name"]) == 64
        assert docker("start", "-a", identity) == "grown"
        docker("rm", "-v", identity)
        assert mount["Name"] not in docker("volume", "ls", "-q")
    finally:
        docker("rmi", "-f", WITH_DATA)


def test_rm_without_v_keeps_an_anonymous_volume(docker: Docker, image: str) -> None:
    identity = docker("create", "-v", "/data", image)
    name = inspect(docker, identity)["Mounts"][0]["Name"]
    docker("rm", identity)
    assert name in docker("volume", "ls", "-q", "--filter", "dangling=true").split()


def test_volumes_from(docker: Docker, image: str) -> None:
    docker("run", "--name", "source", "-v", "shared:/data", image, "sh", "-c", "echo there > /data/file")
    assert docker("run", "--rm", "--volumes-from", "source", image, "cat", "/data/file") == "there"
    result = docker.run("run", "--rm", "--volumes-from", "source:ro", image, "touch", "/data/file")
    assert result.returncode == 1


def test_tmpfs(docker: Docker, image: str) -> None:
    script = "grep ' /scratch ' /proc/mounts; df -k /scratch | tail -1"
    lines = docker("run", "--rm", "--tmpfs", "/scratch:size=4m,mode=700", image, "sh", "-c", script).splitlines()
    assert "tmpfs rw,nosuid,nodev,noexec" in lines[0]
    assert lines[1].split()[1] == "4096"


def test_tmpfs_by_mount(docker: Docker, image: str) -> None:
    words = ("--mount", "type=tmpfs,dst=/scratch,tmpfs-size=4194304")
    identity = docker("create", *words, image, "sh", "-c", "df -k /scratch | tail -1")
    assert docker("start", "-a", identity).split()[1] == "4096"
    assert inspect(docker, identity)["Mounts"][0]["Type"] == "tmpfs"


def test_a_volume_in_use_stays(docker: Docker, image: str) -> None:
    identity = docker("create", "-v", "busy:/data", image)
    for words in (("volume", "rm", "busy"), ("volume", "rm", "-f", "busy")):
        result = docker.run(*words)
        assert result.returncode == 1
        assert f"remove busy: volume is in use - [{identity}]".encode() in result.stderr
    docker("rm", identity)
    assert docker("volume", "rm", "busy") == "busy"


def test_volume_commands(docker: Docker) -> None:
    assert docker("volume", "create", "--label", "a=1", "named") == "named"
    assert docker("volume", "create", "named") == "named"
    (found,) = json.loads(docker("volume", "inspect", "named"))
    assert (found["Name"], found["Driver"], found["Scope"], found["Labels"]) == ("named", "local", "local", {"a": "1"})
    assert Path(found["Mountpoint"]).name == "_data"
    assert docker("volume", "ls", "-q", "--filter", "label=a=1") == "named"
    assert docker("volume", "ls", "-q", "--filter", "name=name") == "named"
    assert docker("volume", "rm", "named") == "named"
    assert b"no such volume" in docker.run("volume", "inspect", "named").stderr.lower()
    assert b"no such volume" in docker.run("volume", "rm", "named").stderr.lower()


def test_a_volume_without_a_name(docker: Docker) -> None:
    assert len(docker("volume", "create")) == 64


@pytest.mark.parametrize("name", ["_bad", "a b", "../x"])
def test_bad_volume_names(docker: Docker, name: str) -> None:
    result = docker.run("volume", "create", "--", name)
    assert result.returncode == 1
    assert b'includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]"' in result.stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("-v", "/tmp:/a", "-v", "/usr:/a"), "Duplicate mount point: /a"),
        (("-v", "/tmp:relative"), "mount path must be absolute"),
        (("-v", "/tmp:/"), "destination can't be '/'"),
        (("-v", "/tmp:/a:sideways"), "invalid mode: sideways"),
        (("-v", "a:b:c:d"), "invalid volume specification"),
        (("--mount", "type=volume,src=x/y,dst=/a"), "includes invalid characters for a local volume name"),
    ],
)
def test_bad_mounts(docker: Docker, image: str, words: tuple[str, ...], text: str) -> None:
    result = docker.run("create", *words, image)
    assert result.returncode in (1, 125)
    assert text in result.stderr.decode()


def test_inspect_lists_mounts(docker: Docker, image: str, tmp_path: Path) -> None:
    identity = docker("create", "-v", f"{tmp_path}:/a:ro", "-v", "listed:/b", image)
    bind, volume = sorted(inspect(docker, identity)["Mounts"], key=lambda mount: str(mount["Destination"]))
    assert (bind["Type"], bind["Source"], bind["Mode"], bind["RW"], bind["Propagation"]) == (
        "bind", str(tmp_path), "ro", False, "rprivate",
    )  # fmt: skip
    assert (volume["Type"], volume["Name"], volume["Driver"], volume["RW"]) == ("volume", "listed", "local", True)


def test_no_mount_appears_on_the_host(docker: Docker, image: str, tmp_path: Path) -> None:
    docker("run", "-d", "--name", "mounted", "-v", f"{tmp_path}:/data", "-v", "held:/held", image, "sleep", "100")
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


# Propagation and depth of binds


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A mount of the host with another one below it."""
    top = tmp_path / "tree"
    top.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", top], check=True)
    for name in ("below", "made"):
        (top / name).mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", top / "below"], check=True)
    subprocess.run(["mount", "--make-rshared", top], check=True)
    yield top
    subprocess.run(["umount", "-R", top], check=True)


def test_a_shared_bind_carries_mounts_both_ways(docker: Docker, image: str, tree: Path) -> None:
    words = ("--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined", "-v", f"{tree}:/data:shared")
    identity = docker("run", "-d", *words, image, "sh", "-c", "mount -t tmpfs inside /data/made; sleep 1000")
    eventually(lambda: f" {tree}/made " in Path("/proc/self/mountinfo").read_text())
    subprocess.run(["mount", "-t", "tmpfs", "outside", tree / "below"], check=True)
    assert "outside /data/below tmpfs" in docker("exec", identity, "cat", "/proc/mounts")


def test_a_shared_bind_needs_a_shared_mount(docker: Docker, image: str, tree: Path) -> None:
    subprocess.run(["mount", "--make-rprivate", tree], check=True)
    for mode, text in (("shared", "a shared mount"), ("slave", "a shared or slave mount")):
        result = docker.run("run", "--rm", "-v", f"{tree}:/data:{mode}", image, "true")
        assert f"path {tree} is mounted on {tree} but it is not {text}".encode() in result.stderr


@pytest.mark.parametrize(("option", "answer"), [("writable", "ro rw"), ("readonly", "ro ro"), ("enabled", "ro ro")])
def test_how_deep_a_read_only_bind_goes(docker: Docker, image: str, tree: Path, option: str, answer: str) -> None:
    if api_version(docker) < (1, 44):
        pytest.skip("bind-recursive came with API 1.44")
    mount = f"type=bind,src={tree},dst=/data,readonly,bind-propagation=rprivate,bind-recursive={option}"
    script = "for d in /data /data/below; do touch $d/x 2>/dev/null && echo rw || echo ro; done"
    assert docker("run", "--rm", "--mount", mount, image, "sh", "-c", script).split() == answer.split()


def test_volume_prune(docker: Docker, image: str) -> None:
    docker("volume", "create", "--label", "prune-me", "doomed")
    identity = docker("create", "--label", "x", "-v", "/data", image)
    anonymous = inspect(docker, identity)["Mounts"][0]["Name"]
    docker("rm", identity)
    everything = ("-a",) if api_version(docker) >= (1, 42) else ()
    docker("volume", "prune", "-f", *everything, "--filter", "label=prune-me")
    listed = docker("volume", "ls", "-q").split()
    assert "doomed" not in listed
    assert anonymous in listed
    eventually(lambda: docker("volume", "rm", anonymous) == anonymous)
