"""docker cp: what is read out of a container and put into one."""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.containers import archive
from engine.containers.config.mounts import Mount
from engine.errors import InvalidArgument, MuelleError, NotFound, SystemFailure
from tests.engine.containers.archive_files import Files
from tests.support.archives import layer, member

if TYPE_CHECKING:
    from tests.engine.containers.conftest import Container

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("nothing_stays")]


# stat

DIRECTORY, LINK, SETUID, DEVICE = 1 << 31, 1 << 27, 1 << 23, 1 << 26 | 1 << 21


@pytest.mark.parametrize(
    ("path", "name", "mode", "link"),
    [
        ("/", "/", DIRECTORY | 0o755, ""),
        ("", "/", DIRECTORY | 0o755, ""),
        ("/tmp/d", "d", DIRECTORY | 0o755, ""),
        ("/tmp/d/", "d", DIRECTORY | 0o755, ""),
        ("/tmp/d/.", ".", DIRECTORY | 0o755, ""),
        ("tmp/d/f", "f", SETUID | 0o755, ""),
        ("/tmp/../tmp/d/f", "f", SETUID | 0o755, ""),
        ("/../../tmp/d/f", "f", SETUID | 0o755, ""),
        ("/tmp/d/l", "l", LINK | 0o777, "/tmp/d/f"),
        ("/tmp/d/abs", "abs", LINK | 0o777, "/etc"),
        ("/tmp/d/abs/", "abs", DIRECTORY | 0o755, ""),
        ("/tmp/d/nowhere", "nowhere", LINK | 0o777, "/a/b"),
        ("/tmp/d/null", "null", DEVICE | 0o644, ""),
    ],
)
def test_stat(path: str, name: str, mode: int, link: str, files: Files) -> None:
    found = files.stat(path)
    assert (found["name"], found["mode"], found["linkTarget"]) == (name, mode, link)


def test_stat_of_a_file(files: Files) -> None:
    found = files.stat("/tmp/d/f")
    assert (found["size"], found["mtime"]) == (5, "2023-11-14T22:13:20Z")


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("/nope", NotFound, "Could not find the file /nope in container box"),
        ("nope/x", NotFound, "Could not find the file nope/x in container box"),
        ("/tmp/d/nowhere/", NotFound, "Could not find the file /tmp/d/nowhere/ in container box"),
        ("/tmp/d/f/", InvalidArgument, "not a directory"),
        ("/tmp/d/f/x", InvalidArgument, "not a directory"),
        ("/" + "x" * 300, InvalidArgument, "file name too long"),
        ("/a\0b", InvalidArgument, "invalid argument"),
    ],
)
def test_stat_and_get_of_what_is_not_there(path: str, kind: type[MuelleError], message: str, files: Files) -> None:
    for operation in (files.stat, files.get):
        with pytest.raises(kind) as caught:
            operation(path)
        assert caught.value.message == message


# get


def test_get_a_directory(files: Files) -> None:
    found = files.get("/tmp/d")
    assert list(found) == ["d", "d/abs", "d/f", "d/fifo", "d/h", "d/l", "d/nowhere", "d/null"]
    info, content = found["d/f"]
    assert (content, info.mode, info.uid, info.gid, info.mtime) == (b"hello", 0o4755, 1000, 1001, 1700000000)
    assert (found["d/h"][0].type, found["d/h"][0].linkname) == (tarfile.LNKTYPE, "d/f")
    assert (found["d/l"][0].type, found["d/l"][0].linkname) == (tarfile.SYMTYPE, "f")
    assert (found["d/null"][0].type, found["d/null"][0].devminor) == (tarfile.CHRTYPE, 3)
    assert found["d/fifo"][0].type == tarfile.FIFOTYPE


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/tmp/d/f", ["f"]),
        ("/tmp/d/l", ["l"]),
        ("/tmp/d/abs/", ["abs", "abs/group", "abs/passwd"]),
        ("/etc/.", [".", "./group", "./passwd"]),
    ],
)
def test_names_of_an_archive(path: str, names: list[str], files: Files) -> None:
    assert [name for name in files.get(path) if not name.endswith(("hosts", "hostname", "resolv.conf"))] == names


def test_names_from_the_root(files: Files) -> None:
    with tempfile.TemporaryFile() as file:
        archive.get(files.target, "/", file.fileno())
        file.seek(0)
        assert file.read(100).rstrip(b"\0") == b"/"
    assert "./bin/busybox" in files.get("/.")


def test_big_files_and_capabilities_come_back_as_they_went(files: Files) -> None:
    content = os.urandom(3 << 20)
    capability = bytes.fromhex("0100000200200000000000000000000000000000").decode("utf-8", "surrogateescape")
    headers = {"SCHILY.xattr.security.capability": capability}
    files.put("/tmp", (member("big", pax_headers=headers), content))
    info, back = files.get("/tmp/big")["big"]
    assert back == content
    assert info.pax_headers["SCHILY.xattr.security.capability"].encode("utf-8", "surrogateescape") == bytes.fromhex(
        "0100000200200000000000000000000000000000"
    )


def test_names_that_are_not_utf8(files: Files) -> None:
    name = os.fsdecode(b"caf\xe9")
    files.put("/tmp", (member(name), b"1"))
    assert files.get(f"/tmp/{name}")[name][1] == b"1"


# put


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/nope", "Could not find the file /nope in container box"),
        ("/tmp/d/f", "extraction point is not a directory"),
        ("/tmp/d/f/", "extraction point is not a directory"),
    ],
)
def test_put_where_nothing_can_go(path: str, message: str, files: Files) -> None:
    with pytest.raises((NotFound, InvalidArgument)) as caught:
        files.put(path, (member("x"), b"1"))
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (layer([(member("../../x"), b"1")]), '"../../x" is outside of "/tmp/d"'),
        (layer([(member("s", tarfile.SYMTYPE, linkname="../x"), b"")]), 'invalid symlink "/tmp/d/s" -> "../x"'),
        (b"garbage" * 200, "archive/tar: invalid tar header"),
        (layer([(member("half"), b"1" * 2000)])[:1000], "unexpected EOF"),
    ],
)
def test_put_of_a_bad_archive(raw: bytes, message: str, files: Files) -> None:
    """Docker answers 500 to these, so they are system failures here, too."""
    before = list(files.get("/tmp"))
    with pytest.raises(SystemFailure) as caught:
        files.put("/tmp/d", raw=raw)
    assert caught.value.message == message
    assert list(files.get("/tmp")) == before


def test_put_of_nothing_is_fine(files: Files) -> None:
    files.put("/tmp", raw=b"")


def test_put_through_a_link_of_the_image(files: Files) -> None:
    files.put("/tmp/d/abs", (member("new"), b"1"))
    assert files.stat("/etc/new")["size"] == 1


def test_put_keeps_kinds_when_asked(files: Files) -> None:
    with pytest.raises(SystemFailure, match=r'^cannot overwrite directory "/tmp/d" with non-directory "/tmp"$'):
        files.put("/tmp", (member("d"), b"1"), no_overwrite_dir_non_dir=True)
    files.put("/tmp", (member("d"), b"file"))
    assert files.get("/tmp/d")["d"][1] == b"file"


def test_put_for_the_user_of_the_container(container: Container) -> None:
    theirs = Files(container, user="www")
    theirs.put("/tmp", (member("a", uid=7, gid=8), b""), copy_uid_gid=True)
    theirs.put("/tmp", (member("b", uid=7, gid=8), b""))
    found = theirs.get("/tmp/.")
    assert [(found[name][0].uid, found[name][0].gid) for name in ("./a", "./b")] == [(33, 34), (7, 8)]


def test_read_only(container: Container, tmp_path: Path) -> None:
    for name in ("open", "closed", "closed/open"):
        (tmp_path / name).mkdir()
    mounts = [
        Mount("volume", str(tmp_path / "open"), "/open"),
        Mount("bind", str(tmp_path / "closed"), "/closed", read_only=True),
        Mount("bind", str(tmp_path / "open"), "/closed/open/"),
    ]
    box = Files(container, read_only=True, mounts=mounts)
    with pytest.raises(InvalidArgument, match=r"^container rootfs is marked read-only$"):
        box.put("/tmp", (member("x"), b""))
    with pytest.raises(InvalidArgument, match=r"^mounted volume is marked read-only$"):
        box.put("/closed", (member("x"), b""))
    box.put("/open", (member("x"), b"1"))
    box.put("/closed/open", (member("y"), b"2"))
    assert [(tmp_path / "open" / name).read_bytes() for name in "xy"] == [b"1", b"2"]
