"""docker cp, export and diff."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from tests.support.docker import Docker


@pytest.fixture(params=["running", "created"])
def container(request: pytest.FixtureRequest, docker: Docker, image: str) -> str:
    """The same commands work whether it runs or not."""
    if request.param == "running":
        return docker("run", "-d", "-v", "copied:/volume", image, "sleep", "1000")
    return docker("create", "-v", "copied:/volume", image, "sh", "-c", "cat /root/file")


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name.removeprefix("./").rstrip("/"): member for member in archive}


def test_a_file_in_and_out(docker: Docker, container: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "file").chmod(0o640)
    docker("cp", str(tmp_path / "file"), f"{container}:/root/")
    docker("cp", f"{container}:/root/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "content"
    assert (tmp_path / "back").stat().st_mode & 0o777 == 0o640


def test_under_another_name(docker: Docker, container: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    docker("cp", str(tmp_path / "file"), f"{container}:/root/other")
    assert docker.run("cp", f"{container}:/root/other", "-").stdout.startswith(b"other\0")


def test_a_directory(docker: Docker, container: str, tmp_path: Path) -> None:
    source = tmp_path / "tree"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "a").write_text("a")
    (source / "link").symlink_to("sub/a")
    docker("cp", str(source), f"{container}:/root")
    docker("cp", f"{container}:/root/tree/.", str(tmp_path / "back"))
    assert (tmp_path / "back" / "sub" / "a").read_text() == "a"
    assert (tmp_path / "back" / "link").readlink() == Path("sub/a")


def test_tar_streams(docker: Docker, container: str) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        info = tarfile.TarInfo("streamed")
        info.size, info.uid, info.gid = 4, 12, 34
        archive.addfile(info, io.BytesIO(b"data"))
    docker("cp", "-a", "-", f"{container}:/root", stdin=data.getvalue())
    found = members(docker.run("cp", "-a", f"{container}:/root", "-").stdout)
    assert (found["root/streamed"].uid, found["root/streamed"].gid) == (12, 34)


def test_into_a_volume(docker: Docker, container: str, tmp_path: Path, image: str) -> None:
    (tmp_path / "file").write_text("seen by all")
    docker("cp", str(tmp_path / "file"), f"{container}:/volume/file")
    assert docker("run", "--rm", "-v", "copied:/v", image, "cat", "/v/file") == "seen by all"


def test_links_are_kept_or_followed(docker: Docker, container: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    docker("cp", str(tmp_path / "link"), f"{container}:/root/link")
    docker("cp", f"{container}:/root/link", str(tmp_path / "kept"))
    assert (tmp_path / "kept").readlink() == Path("/etc/passwd")
    docker("cp", "-L", f"{container}:/root/link", str(tmp_path / "followed"))
    assert (tmp_path / "followed").read_text().startswith("root:x:0:0")


def test_absolute_links_stay_inside(docker: Docker, container: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("of the host")
    (tmp_path / "trap").symlink_to(secret)
    docker("cp", str(tmp_path / "trap"), f"{container}:/root/trap")
    out = docker.run("cp", f"{container}:/root/trap/key", "-")
    assert out.returncode == 1
    (tmp_path / "file").write_text("overwritten")
    docker.run("cp", str(tmp_path / "file"), f"{container}:/root/trap/key")
    assert (secret / "key").read_text() == "of the host"


@pytest.mark.parametrize(
    ("source", "target", "text"),
    [
        ("C:/nowhere", "HOST/x", "/nowhere"),
        ("C:/etc/passwd/", "HOST/x", "not a directory"),
        ("HOST/file", "C:/nowhere/", "o such directory"),
        ("HOST/none", "C:/root", "no such file or directory"),
        ("C:/etc", "HOST/file", "cannot copy directory"),
    ],
)
def test_what_cannot_be_copied(
    docker: Docker, container: str, tmp_path: Path, source: str, target: str, text: str
) -> None:
    (tmp_path / "file").write_text("")
    words = [word.replace("C:", f"{container}:").replace("HOST", str(tmp_path)) for word in (source, target)]
    result = docker.run("cp", *words)
    assert result.returncode == 1
    assert text in result.stderr.decode()


def test_a_read_only_container(docker: Docker, image: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    docker("create", "--name", "sealed", "--read-only", "-v", "sealed:/v:ro", image)
    for path, text in (
        ("/root", b"container rootfs is marked read-only"),
        ("/v", b"mounted volume is marked read-only"),
    ):
        assert text in docker.run("cp", str(tmp_path / "file"), f"sealed:{path}").stderr


def test_a_big_file(docker: Docker, container: str, tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 32
    (tmp_path / "big").write_bytes(data)
    docker("cp", str(tmp_path / "big"), f"{container}:/root/big")
    docker("cp", f"{container}:/root/big", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == data


def test_export(docker: Docker, container: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    docker("cp", str(tmp_path / "file"), f"{container}:/root/file")
    found = members(docker.run("export", container).stdout)
    assert {"bin/busybox", "root/file", "etc/passwd"} <= set(found)
    assert found["bin/sh"].issym()


def test_diff(docker: Docker, image: str) -> None:
    docker(
        "run", "--name", "changed", image, "sh", "-c", "touch /new; rm /bin/yes; echo x >> /etc/group; mkdir -p /a/b"
    )
    assert set(docker("diff", "changed").splitlines()) == {
        "A /new", "C /bin", "D /bin/yes", "C /etc", "C /etc/group", "A /a", "A /a/b",
    }  # fmt: skip
