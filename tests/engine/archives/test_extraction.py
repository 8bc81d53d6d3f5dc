"""Unpacking: exact metadata, Docker's whiteouts, and nothing outside the root whatever the archive says."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import tarfile
import tempfile
import types

import pytest

from engine.archives.extraction import OVERLAY_OPAQUE, Policy, extract
from engine.archives.limits import Limits
from engine.archives.trees import remove_tree
from engine.errors import InvalidArgument, SystemFailure
from tests.engine.archives.conftest import LAYER, Box, Member, directory, file, hard_link, symlink
from tests.support.archives import layer, member

pytestmark = pytest.mark.kernel


def test_every_kind_with_owner_mode_time(box: Box) -> None:
    mask = os.umask(0o077)
    try:
        size = box.extract(
            (member("./", tarfile.DIRTYPE, 0o711, uid=5, gid=6, mtime=7), b""),
            (member("set", mode=0o6755, uid=1000, gid=1001, mtime=1234567890), b"12345"),
            (member("group", tarfile.DIRTYPE, 0o2775, gid=50, mtime=99), b""),
            file("group/inside"),
            (member("null", tarfile.CHRTYPE, 0o666, devmajor=1, devminor=3), b""),
            (member("disk", tarfile.BLKTYPE, 0o660, devmajor=8, devminor=1), b""),
            (member("pipe", tarfile.FIFOTYPE, 0o622), b""),
            (member("link", tarfile.SYMTYPE, linkname="/nowhere", uid=9), b""),
            hard_link("same", "set"),
        )
    finally:
        os.umask(mask)
    of = {path.name: path.lstat() for path in box.root.iterdir()}
    root = box.root.stat()
    assert (stat.S_IMODE(root.st_mode), root.st_uid, root.st_gid, root.st_mtime) == (0o711, 5, 6, 7)
    assert (of["set"].st_mode, of["set"].st_uid, of["set"].st_gid) == (stat.S_IFREG | 0o6755, 1000, 1001)
    assert of["set"].st_mtime == 1234567890
    assert of["same"].st_ino == of["set"].st_ino
    assert (of["group"].st_mode, of["group"].st_mtime) == (stat.S_IFDIR | 0o2775, 99)
    assert (box.root / "group/inside").stat().st_gid == 0
    assert (of["null"].st_mode, of["null"].st_rdev) == (stat.S_IFCHR | 0o666, os.makedev(1, 3))
    assert (of["disk"].st_mode, of["disk"].st_rdev) == (stat.S_IFBLK | 0o660, os.makedev(8, 1))
    assert of["pipe"].st_mode == stat.S_IFIFO | 0o622
    assert (str((box.root / "link").readlink()), of["link"].st_uid) == ("/nowhere", 9)
    assert size == 6


def test_attributes_that_may_pass(box: Box) -> None:
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    headers = {
        "SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape"),
        "SCHILY.xattr.user.mine": "value",
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
    }
    box.extract(file("ping", pax_headers=headers), (member("d", tarfile.DIRTYPE, pax_headers=headers), b""))
    assert os.getxattr(box.root / "ping", "security.capability") == capability
    assert os.getxattr(box.root / "ping", "user.mine") == b"value"
    for name in ("ping", "d"):
        assert not [key for key in os.listxattr(box.root / name) if key.startswith("trusted.")]


@pytest.mark.parametrize("name", ["../witness/file", "a/../../witness/file", "/../witness/file", "a/b/../../../x"])
def test_dots_stop_at_the_root(name: str, box: Box) -> None:
    box.extract(file(name))
    assert [path for path in box.root.rglob("*") if path.is_file()]


def test_an_absolute_name_is_below_the_root(box: Box) -> None:
    box.extract(file(f"{box.witness}/file", b"mine"))
    assert (box.root / f"{box.witness}/file".lstrip("/")).read_bytes() == b"mine"


@pytest.mark.parametrize("target", ["../witness", "../../../../../../../../tmp", "WITNESS"])
def test_a_link_is_followed_inside_the_root_only(target: str, box: Box) -> None:
    target = str(box.witness) if target == "WITNESS" else target
    with pytest.raises(InvalidArgument, match=r"no such file or directory|not a directory|file exists"):
        box.extract(symlink("link", target), file("link/file", b"evil"))


def test_a_link_to_a_directory_inside_is_followed(box: Box) -> None:
    box.extract(directory("usr"), directory("usr/lib"), symlink("lib", "/usr/lib"), file("lib/libc", b"c"))
    assert (box.root / "usr/lib/libc").read_bytes() == b"c"


def test_a_file_replaces_a_link_instead_of_writing_through_it(box: Box) -> None:
    box.extract(symlink("x", str(box.witness / "file")), file("x", b"evil"), policy=Policy())
    assert (box.root / "x").read_bytes() == b"evil"
    assert not (box.root / "x").is_symlink()


def test_a_directory_kept_open_is_not_used_after_it_was_replaced(box: Box) -> None:
    members = [directory("a"), file("a/1"), symlink("a", "b"), directory("b"), file("a/2")]
    box.extract(*members, policy=Policy())
    assert sorted(path.name for path in (box.root / "b").iterdir()) == ["2"]


@pytest.mark.parametrize("target", ["../witness/file", "/../witness/file", "nothing", "link/file", "/"])
def test_a_hard_link_to_outside_finds_nothing(target: str, box: Box) -> None:
    with pytest.raises(InvalidArgument, match=r"^link /.* /h: no such file or directory$"):
        box.extract(symlink("link", str(box.witness)), hard_link("h", target))
    assert (box.witness / "file").stat().st_nlink == 1


def test_a_hard_link_to_a_link_is_the_link(box: Box) -> None:
    """link(2) must not follow: the target would be a file of the host."""
    box.extract(symlink("link", str(box.witness / "file")), hard_link("h", "link"))
    assert (box.root / "h").is_symlink()
    assert (box.witness / "file").stat().st_nlink == 1


def test_duplicates_in_a_layer(box: Box) -> None:
    with pytest.raises(InvalidArgument, match=r"^duplicates of file paths not supported$"):
        box.extract(file("x"), file("./x"))


def test_a_file_where_a_directory_is_needed(box: Box) -> None:
    with pytest.raises(InvalidArgument, match=r"^open /x/y: not a directory$"):
        box.extract(file("x"), file("x/y"))


def test_the_root_cannot_become_a_file(box: Box) -> None:
    with pytest.raises(InvalidArgument, match=r"cannot overwrite directory"):
        box.extract(file("."))


def test_whiteouts(box: Box) -> None:
    box.extract(directory("d"), file("d/.wh.gone"), directory("o"), file("o/.wh..wh..opq"), file("o/new"))
    gone = (box.root / "d/gone").lstat()
    assert (stat.S_ISCHR(gone.st_mode), gone.st_rdev) == (True, 0)
    assert os.getxattr(box.root / "o", OVERLAY_OPAQUE) == b"y"
    assert sorted(path.name for path in (box.root / "o").iterdir()) == ["new"]


@pytest.mark.parametrize("name", [".wh.", ".wh..", "d/.wh...", "d/.wh."])
def test_a_whiteout_of_no_name(name: str, box: Box) -> None:
    with pytest.raises(InvalidArgument, match=r"^invalid whiteout"):
        box.extract(file(name, b""))


def test_a_whiteout_of_what_the_layer_has(box: Box) -> None:
    with pytest.raises(InvalidArgument, match=r'^failed to mknod\("/x", S_IFCHR, 0\): file exists$'):
        box.extract(file("x"), file(".wh.x", b""))


def test_a_directory_deleted_and_made_anew_is_opaque(box: Box) -> None:
    box.extract(file(".wh.d", b""), directory("d"), file("d/f"))
    assert os.getxattr(box.root / "d", OVERLAY_OPAQUE) == b"y"


def test_names_too_long(box: Box) -> None:
    with pytest.raises(InvalidArgument, match=r"file name too long"):
        box.extract(file("x" * 300))
    with pytest.raises(InvalidArgument, match=r"file name too long"):
        box.extract(file("/".join(["x" * 200] * 30)))


@pytest.mark.parametrize(
    "bad", [file("\udcff" * 300), file("n" * 100_000), symlink("l", "n" * 100_000), file("\udcff/.wh.")]
)
def test_messages_are_short_and_text(bad: Member, box: Box) -> None:
    with pytest.raises(InvalidArgument) as caught:
        box.extract(bad)
    assert len(caught.value.message) < 5000
    assert caught.value.message.encode()
    assert json.dumps(caught.value.to_json(), ensure_ascii=False).encode()


def test_a_deep_tree_is_made_and_removed(box: Box) -> None:
    """Deeper than the interpreter's stack and than the limit of open files."""
    box.extract(file("/".join(["d"] * 2000)))
    remove_tree(box.root)
    assert not box.root.exists()
    box.root.mkdir()


def test_a_deep_tree_is_replaced(box: Box) -> None:
    """Removing it must not recurse either, and the witness of a link in it stays."""
    deep = "/".join(["d"] * 1900)
    box.extract(file(deep), symlink("d/l", "/witness"), file("d", b"now"))
    assert (box.root / "d").read_bytes() == b"now"


@pytest.mark.parametrize("field", ["mtime", "devmajor", "devminor", "uid", "mode"])
@pytest.mark.parametrize("value", [2**62, -(2**62), -1, 2**32])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE])
def test_numbers_of_any_size(kind: bytes, value: int, field: str, box: Box) -> None:
    """GNU's base-256 form; the kernel and the interpreter know smaller ones."""
    info = member("x", kind, linkname="y")
    raw = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    at, length = {"mtime": (136, 12), "devmajor": (329, 8), "devminor": (337, 8), "uid": (108, 8), "mode": (100, 8)}[
        field
    ]
    packed = value.to_bytes(length, "big", signed=True)
    raw[at : at + length] = packed if value < 0 else bytes([packed[0] | 0x80]) + packed[1:]
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    fd = os.open(box.root, os.O_RDONLY)
    with contextlib.suppress(InvalidArgument):
        extract(io.BytesIO(bytes(raw) + bytes(1024)), fd, LAYER, Limits(reserve=0))
    os.close(fd)


@pytest.mark.parametrize(
    "headers",
    [
        {"mtime": "1E999999999"},
        {"mtime": "1E-999999999"},
        {"mtime": "-1E99999"},
        {"mtime": "Infinity"},
        {"mtime": "sNaN"},
        {"mtime": "9" * 100_000},
        {"SCHILY.xattr.user.a\0b": "x"},
        {"SCHILY.xattr.user." + "a" * 300: "x"},
        {"SCHILY.xattr.user.": "x"},
        {"SCHILY.xattr.user.x": "x" * 70_000},
        {"SCHILY.xattr.security.capability": "x"},
        {"SCHILY.xattr.system.posix_acl_access": "x"},
        {"path": "a\0b"},
        {"linkpath": "a\0b"},
        {"size": "9" * 19},
        {"uid": "4294967295"},
    ],
    ids=lambda headers: next(f"{key[:30]}={value[:20]}" for key, value in headers.items()),
)
def test_extended_headers_that_mean_harm(headers: dict[str, str], box: Box) -> None:
    with pytest.raises(InvalidArgument):
        box.extract(file("f", pax_headers=headers))
    assert not list(box.root.iterdir())


def test_logical_sizes_stay_countable(tmp_path_factory: pytest.TempPathFactory) -> None:
    """tmpfs takes files of 8 EiB that hold nothing; two of them are more than a database's integer."""
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str((1 << 63) - 1)}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as root:
        fd = os.open(root, os.O_RDONLY)
        data = layer([file(name, b"0\n".ljust(512, b"\0"), pax_headers=headers) for name in ("one", "two")])
        with pytest.raises(InvalidArgument, match="unpacks to more than"):
            extract(io.BytesIO(data), fd, LAYER, Limits(reserve=0))
        os.close(fd)


def test_a_sparse_map_of_a_million_parts(box: Box) -> None:
    """Read in one go: looking at all of it again with each block would take minutes."""
    parts = (1 << 20) - 1
    data = (b"%d\n" % parts + b"0\n0\n" * parts).ljust(-(-(8 + 4 * parts) // 512) * 512, b"\0")
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1"}
    box.extract(file("f", data, pax_headers=headers))
    assert (box.root / "f").read_bytes() == b"\0"


def test_what_costs_the_disk_besides_content(box: Box) -> None:
    """Millions of empty files and directories fill a disk too, and so do attributes."""
    with pytest.raises(SystemFailure, match=r"^no space left on device$"):
        box.extract(*(directory(str(number)) for number in range(2000)), limits=Limits(reserve=1 << 60))
    assert len(list(box.root.iterdir())) < 2000
    attribute = {"SCHILY.xattr.user.x": "x" * 900}
    with pytest.raises(InvalidArgument, match="more than 1000 bytes"):
        box.extract(*(file(name, b"", pax_headers=attribute) for name in "ab"), limits=Limits(size=1000, reserve=0))


def test_inodes_are_kept_free(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(box.root)
    few = types.SimpleNamespace(f_bavail=real.f_bavail, f_frsize=real.f_frsize, f_files=10_000, f_favail=100)
    monkeypatch.setattr(os, "statvfs", lambda _: few)
    with pytest.raises(SystemFailure, match=r"^no space left on device$"):
        box.extract(file("f", b""), limits=Limits(reserve=1 << 20))


def test_names_that_are_remembered_are_bounded(box: Box) -> None:
    with pytest.raises(InvalidArgument, match="names of directories"):
        box.extract(directory("a" * 100), directory("b" * 100), limits=Limits(names=150, reserve=0))


def test_bombs(box: Box) -> None:
    with pytest.raises(InvalidArgument, match=r"more than 10 entries"):
        box.extract(*(file(str(number)) for number in range(11)), limits=Limits(entries=10, reserve=0))
    with pytest.raises(InvalidArgument, match=r"more than 1000 bytes"):
        box.extract(file("big", bytes(1001)), limits=Limits(size=1000, reserve=0))
    with pytest.raises(SystemFailure, match=r"^no space left on device$"):
        box.extract(file("last", bytes(10)), limits=Limits(reserve=1 << 60))
    assert not (box.root / "last").exists()


def test_a_sparse_giant_costs_nothing(box: Box) -> None:
    """4 PiB of nothing: the file system's own limit answers, and no byte is written."""
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 52)}
    with pytest.raises(InvalidArgument, match=r"file too large"):
        box.extract(file("giant", b"0\n".ljust(512, b"\0"), pax_headers=headers))
    assert not (box.root / "giant").exists()
