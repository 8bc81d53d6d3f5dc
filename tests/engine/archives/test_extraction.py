"""Unpacking: exact metadata, Docker's whiteouts, and nothing outside the root whatever the archive says."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.archives.extraction import OVERLAY_OPAQUE, Policy, extract
from engine.archives.limits import Limits
from engine.archives.trees import remove_tree
from engine.errors import InvalidArgument, SystemFailure
from tests.support.archives import layer, member

pytestmark = pytest.mark.kernel
LAYER = Policy(whiteouts=True, unique=True, top=True)
Member = tuple[tarfile.TarInfo, bytes]


def file(name: str, content: bytes = b"x", **fields: object) -> Member:
    return member(name, **fields), content  # type: ignore[arg-type]


def directory(name: str, mode: int = 0o755) -> Member:
    return member(name, tarfile.DIRTYPE, mode), b""


def symlink(name: str, target: str) -> Member:
    return member(name, tarfile.SYMTYPE, linkname=target), b""


def hard_link(name: str, target: str) -> Member:
    return member(name, tarfile.LNKTYPE, linkname=target), b""


class Box:
    """A directory to unpack into, with a witness beside it that must never change."""

    def __init__(self, path: Path) -> None:
        self.path, self.root, self.witness = path, path / "root", path / "witness"
        self.root.mkdir()
        self.witness.mkdir()
        (self.witness / "file").write_text("untouched")

    def extract(self, *members: Member, policy: Policy = LAYER, limits: Limits | None = None) -> int:
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return extract(io.BytesIO(layer(members)), fd, policy, limits or Limits(reserve=0))
        finally:
            os.close(fd)

    def untouched(self) -> bool:
        names = sorted(path.relative_to(self.path).as_posix() for path in self.path.iterdir())
        content = [path.name for path in self.witness.iterdir()]
        return (
            names == ["root", "witness"] and content == ["file"] and (self.witness / "file").read_text() == "untouched"
        )


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    assert box.untouched()


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


def test_a_deep_tree_is_made_and_removed(box: Box) -> None:
    """Deeper than the interpreter's stack and than the limit of open files."""
    box.extract(file("/".join(["d"] * 2000)))
    remove_tree(box.root)
    assert not box.root.exists()
    box.root.mkdir()


def test_bombs(box: Box) -> None:
    with pytest.raises(InvalidArgument, match=r"more than 10 entries"):
        box.extract(*(file(str(number)) for number in range(11)), limits=Limits(entries=10, reserve=0))
    with pytest.raises(InvalidArgument, match=r"more than 1000 bytes"):
        box.extract(file("big", bytes(1001)), limits=Limits(size=1000, reserve=0))
    with pytest.raises(SystemFailure, match=r"^no space left on device$"):
        box.extract(file("last", bytes(10)), limits=Limits(reserve=1 << 60))
    assert not (box.root / "last").exists()


def test_a_sparse_giant_costs_nothing(box: Box) -> None:
    """8 EiB of nothing: the file system's own limit answers, and no byte is written."""
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str((1 << 63) - 1)}
    with pytest.raises(InvalidArgument, match=r"file too large"):
        box.extract(file("giant", b"0\n".ljust(512, b"\0"), pax_headers=headers))
    assert not (box.root / "giant").exists()


class TestBelowABase:
    """``docker cp``: names are relative to a directory of the container."""

    policy = Policy(base="tmp/d")

    @pytest.fixture(autouse=True)
    def base(self, box: Box) -> None:
        (box.root / "tmp/d").mkdir(parents=True)
        (box.root / "etc").mkdir()
        (box.root / "tmp/d/etc").symlink_to("/etc")

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (file("../../x"), '"../../x" is outside of "/tmp/d"'),
            (symlink("l", "../x"), 'invalid symlink "/tmp/d/l" -> "../x"'),
            (hard_link("h", "../../etc/passwd"), 'invalid hardlink "/etc/passwd" -> "../../etc/passwd"'),
            (hard_link("h", "nothing"), "link /tmp/d/nothing /tmp/d/h: no such file or directory"),
        ],
    )
    def test_breaking_out(self, bad: Member, message: str, box: Box) -> None:
        with pytest.raises(InvalidArgument) as caught:
            box.extract(bad, policy=self.policy)
        assert caught.value.message == message

    def test_links_of_the_container_lead_into_the_container(self, box: Box) -> None:
        box.extract(file("etc/x", b"1"), policy=self.policy)
        assert (box.root / "etc/x").read_bytes() == b"1"

    def test_the_directory_itself_stays_as_it_is(self, box: Box) -> None:
        before = (box.root / "tmp/d").stat()
        box.extract((member(".", tarfile.DIRTYPE, 0o700, uid=5), b""), policy=self.policy)
        after = (box.root / "tmp/d").stat()
        assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)

    def test_owner(self, box: Box) -> None:
        box.extract(file("f", uid=1), directory("n"), policy=self.policy._replace(owner=(33, 34)))
        for name in ("f", "n"):
            status = (box.root / "tmp/d" / name).stat()
            assert (status.st_uid, status.st_gid) == (33, 34)

    def test_kinds_are_kept_when_asked(self, box: Box) -> None:
        policy = self.policy._replace(keep_kind=True)
        box.extract(file("f"), directory("n"), policy=policy)
        with pytest.raises(
            InvalidArgument, match=r'^cannot overwrite directory "/tmp/d/n" with non-directory "/tmp/d"$'
        ):
            box.extract(file("n"), policy=policy)
        with pytest.raises(
            InvalidArgument, match=r'^cannot overwrite non-directory "/tmp/d/f" with directory "/tmp/d"$'
        ):
            box.extract(directory("f"), policy=policy)
        box.extract(file("n", b"file now"), policy=self.policy)
        assert (box.root / "tmp/d/n").read_bytes() == b"file now"

    def test_half_a_file_does_not_stay(self, box: Box) -> None:
        fd = os.open(box.root, os.O_RDONLY)
        with pytest.raises(InvalidArgument, match=r"^unexpected EOF$"):
            extract(io.BytesIO(layer([file("half", bytes(4000))])[:2000]), fd, self.policy)
        os.close(fd)
        assert not (box.root / "tmp/d/half").exists()
