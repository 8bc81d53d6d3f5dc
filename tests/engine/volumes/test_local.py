from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidArgument, NotFound, SystemFailure, Unsupported
from engine.layout import Layout
from engine.volumes import local


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "home", tmp_path / "run")
    made.volumes.mkdir(parents=True)
    return made


def _remove(layout: Layout, directory: str) -> None:
    local.set_aside(layout, directory, "7")
    assert not (layout.volumes / directory).exists()
    local.discard(layout, "7")


def test_creating_is_idempotent_and_keeps_the_content(layout: Layout) -> None:
    path = local.create(layout, "data")
    assert path == layout.volumes / "data" / "_data"
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    (path / "file").write_text("kept")
    assert local.create(layout, "data") == path
    assert (path / "file").read_text() == "kept"


@pytest.mark.parametrize("name", ["_a", "-a", "a b", "a/b", "../up", "..", "", "a\n", "a:b", "é1"])
def test_bad_names(layout: Layout, name: str) -> None:
    with pytest.raises(InvalidArgument, match="includes invalid characters for a local volume name"):
        local.check(name)
    with pytest.raises(InvalidArgument, match="is no directory of a volume"):
        local.create(layout, name)
    assert list(layout.volumes.iterdir()) == []


def test_short_names() -> None:
    with pytest.raises(InvalidArgument, match="create a: volume name is too short"):
        local.check("a")


def test_a_projects_own_volume_has_a_directory_of_its_own(layout: Layout) -> None:
    theirs, ours = local.create(layout, "data"), local.create(layout, "team~data")
    (ours / "file").write_text("1234")
    assert (local.usage(layout, "data"), local.usage(layout, "team~data")) == (0, 4)
    _remove(layout, "team~data")
    assert theirs.exists()
    assert not ours.exists()
    with pytest.raises(InvalidArgument):
        local.check("team~data")
    for name in ("~data", "team~", "a~b~c", "../x~data", "team~.."):
        with pytest.raises(InvalidArgument):
            local.create(layout, name)


def test_what_was_set_aside_can_come_back(layout: Layout) -> None:
    (local.create(layout, "data") / "file").write_text("kept")
    local.set_aside(layout, "data", "7")
    assert local.keys_set_aside(layout) == ["7"]
    hindering = local.create(layout, "data")
    with pytest.raises(SystemFailure, match=r"^restore data from .*/\.removed-7: Directory not empty$"):
        local.restore(layout, "data", "7")
    hindering.rmdir()
    local.restore(layout, "data", "7")
    local.restore(layout, "data", "7")
    assert (hindering / "file").read_text() == "kept"
    assert local.keys_set_aside(layout) == []


@given(st.text(max_size=12))
def test_no_accepted_name_leaves_the_directory(name: str) -> None:
    try:
        local.check(name)
    except InvalidArgument:
        return
    assert Path("/volumes", name).resolve().parent == Path("/volumes")


def test_other_drivers() -> None:
    with pytest.raises(NotFound, match='create data: error looking up volume plugin nfs: plugin "nfs" not found'):
        local.check("data", "nfs")


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"foo": "bar"}, InvalidArgument, 'create data: invalid option: "foo"'),
        ({"o": "size=1"}, InvalidArgument, 'create data: missing required option: "device"'),
        ({"type": "tmpfs", "device": "tmpfs"}, Unsupported, "not supported"),
    ],
)
def test_options(options: dict[str, str], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        local.check("data", options=options)


def test_removing_takes_everything_but_what_symlinks_name(layout: Layout, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    path = local.create(layout, "data")
    (path / "deep" / "er").mkdir(parents=True)
    (path / "deep" / "link").symlink_to(outside)
    os.mkfifo(path / "fifo")
    _remove(layout, "data")
    _remove(layout, "data")
    assert list(layout.volumes.iterdir()) == []
    assert (outside / "file").exists()


def test_usage_counts_files_once(layout: Layout) -> None:
    path = local.create(layout, "data")
    (path / "sub").mkdir()
    (path / "sub" / "a").write_bytes(b"x" * 1000)
    (path / "b").hardlink_to(path / "sub" / "a")
    (path / "c").symlink_to("12345")
    assert local.usage(layout, "data") == 1005
    assert local.usage(layout, "absent") == 0


def test_a_tree_deeper_than_the_stack_is_counted_and_removed(layout: Layout) -> None:
    descriptor = os.open(local.create(layout, "data"), os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.write(file := os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor), b"12345")
    os.close(file)
    os.close(descriptor)
    assert local.usage(layout, "data") == 5
    _remove(layout, "data")
    assert list(layout.volumes.iterdir()) == []
