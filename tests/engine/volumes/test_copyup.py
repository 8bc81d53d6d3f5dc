from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.archives.trees import remove_tree
from engine.errors import SystemFailure
from engine.layout import Layout
from engine.volumes import copyup, local

pytestmark = pytest.mark.kernel

MTIME = 1_000_000_000_123_456_789
CAPABILITY = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"  # net_bind_service=ep


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "home", tmp_path / "run")
    made.volumes.mkdir(parents=True)
    (made.images / "layers").mkdir(parents=True)
    local.create(made, "data")
    return made


def layer(layout: Layout, name: str) -> Path:
    path = layout.images / "layers" / name
    path.mkdir()
    return path


def fill(directory: Path) -> None:
    """One of everything that a volume must keep."""
    directory.mkdir(parents=True)
    (directory / "plain").write_bytes(b"content")
    os.chown(directory / "plain", 1000, 1001)
    (directory / "second-name").hardlink_to(directory / "plain")
    (directory / "sub").mkdir()
    (directory / "sub" / "third-name").hardlink_to(directory / "plain")
    (directory / "setuid").write_bytes(b"#!")
    (directory / "setuid").chmod(0o4751)
    os.setxattr(directory / "setuid", "security.capability", CAPABILITY)
    os.setxattr(directory / "sub", "user.note", b"kept")
    (directory / "link").symlink_to("/etc/passwd")
    os.lchown(directory / "link", 5, 6)
    os.mkfifo(directory / "fifo", 0o622)
    os.mknod(directory / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    with (directory / "sparse").open("wb") as file:
        file.seek(1 << 24)
        file.write(b"end")
    os.utime(directory / "plain", ns=(MTIME, MTIME))
    directory.chmod(0o1770)
    os.chown(directory, 33, 34)
    os.utime(directory, ns=(MTIME, MTIME))


def test_everything_is_kept(layout: Layout) -> None:
    fill(layer(layout, "base") / "srv" / "data")
    copyup.copy_up(layout, "data", ["base"], "/srv/data")
    volume = layout.volume("data")
    plain = (volume / "plain").stat()
    assert (plain.st_uid, plain.st_gid, plain.st_nlink, plain.st_mtime_ns) == (1000, 1001, 3, MTIME)
    assert plain.st_ino == (volume / "sub" / "third-name").stat().st_ino
    assert stat.S_IMODE((volume / "setuid").stat().st_mode) == 0o4751
    assert os.getxattr(volume / "setuid", "security.capability") == CAPABILITY
    assert os.getxattr(volume / "sub", "user.note") == b"kept"
    assert (volume / "link").readlink() == Path("/etc/passwd")
    assert (volume / "link").lstat().st_gid == 6
    assert stat.S_ISFIFO((volume / "fifo").stat().st_mode)
    assert (volume / "null").stat().st_rdev == os.makedev(1, 3)
    sparse = (volume / "sparse").stat()
    assert sparse.st_size == (1 << 24) + 3
    assert sparse.st_blocks * 512 < 1 << 20
    own = volume.stat()
    assert (own.st_uid, own.st_gid, stat.S_IMODE(own.st_mode), own.st_mtime_ns) == (33, 34, 0o1770, MTIME)


def test_layers_are_seen_as_one(layout: Layout) -> None:
    base, top = layer(layout, "base") / "data", layer(layout, "top") / "data"
    base.mkdir()
    top.mkdir()
    for name in ("deleted", "replaced", "low"):
        (base / name).write_text("base")
    (top / "replaced").write_text("top")
    os.mknod(top / "deleted", stat.S_IFCHR, os.makedev(0, 0))  # overlayfs's whiteout
    copyup.copy_up(layout, "data", ["top", "base"], "/data")
    volume = layout.volume("data")
    assert sorted(each.name for each in volume.iterdir()) == ["low", "replaced"]
    assert (volume / "replaced").read_text() == "top"


def test_a_volume_that_holds_something_is_left_alone(layout: Layout) -> None:
    (layer(layout, "base") / "data").mkdir()
    (layout.images / "layers/base/data/new").write_text("")
    (layout.volume("data") / "old").write_text("")
    copyup.copy_up(layout, "data", ["base"], "/data")
    assert [each.name for each in layout.volume("data").iterdir()] == ["old"]


@pytest.mark.parametrize("target", ["/absent", "/file", "/file/below", "/dangling"])
def test_no_directory_in_the_image(layout: Layout, target: str) -> None:
    root = layer(layout, "base")
    (root / "file").write_text("")
    (root / "dangling").symlink_to("nowhere")
    copyup.copy_up(layout, "data", ["base"], target)
    assert list(layout.volume("data").iterdir()) == []


@pytest.mark.parametrize("link", ["/secret", "../../../../../../secret", "/../../secret"])
def test_links_resolve_inside_the_image(layout: Layout, link: str) -> None:
    root = layer(layout, "base")
    (root / "secret").mkdir()
    (root / "secret" / "of-the-image").write_text("")
    (root / "data").symlink_to(link)
    copyup.copy_up(layout, "data", ["base"], "/data")
    assert [each.name for each in layout.volume("data").iterdir()] == ["of-the-image"]


def test_a_link_to_a_directory_of_the_host_leads_nowhere(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "of-the-host").mkdir()
    (tmp_path / "of-the-host" / "key").write_text("")
    (layer(layout, "base") / "data").symlink_to(tmp_path / "of-the-host")
    copyup.copy_up(layout, "data", ["base"], "/data")
    assert list(layout.volume("data").iterdir()) == []


def break_missing_layer(layout: Layout) -> list[str]:
    return ["missing"]


def break_depth(layout: Layout) -> list[str]:
    """Deeper than the copy can follow: it stops half-way, with something copied already."""
    path = layer(layout, "deep") / "data"
    path.mkdir()
    (path / "first").write_text("")
    descriptor = os.open(path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    return ["deep"]


@pytest.mark.parametrize("damage", [break_missing_layer, break_depth])
def test_failure_leaves_an_empty_volume(layout: Layout, damage: Callable[[Layout], list[str]]) -> None:
    with pytest.raises(SystemFailure, match="failed to copy"):
        copyup.copy_up(layout, "data", damage(layout), "/data")
    remove_tree(layout.images)  # pytest could not
    assert list(layout.volume("data").iterdir()) == []


def test_nothing_is_mounted_on_the_host(layout: Layout) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    fill(layer(layout, "base") / "data")
    copyup.copy_up(layout, "data", ["base"], "/data")
    assert Path("/proc/self/mountinfo").read_text() == before
