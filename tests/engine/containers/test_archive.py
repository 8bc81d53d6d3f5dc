"""docker cp, export and diff on real containers: running, stopped and never started."""

from __future__ import annotations

import os
import signal
import stat
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.archives.streams import Sink, source
from engine.containers import archive, archive_child, archive_view, runtime
from engine.containers.archive import Target
from engine.containers.mounts import MountPoint
from engine.errors import Conflict, InvalidArgument, MuelleError, NotFound, SystemFailure, Unavailable
from tests.support.archives import layer, member

if TYPE_CHECKING:
    from tests.engine.containers.conftest import Container

pytestmark = pytest.mark.kernel
LAYER = "busybox"
SLEEP = ("sh", "-c", "trap exit TERM; while :; do sleep 0.1; done")
Member = tuple[tarfile.TarInfo, bytes]


class Files:
    """The operations on one container, with bytes instead of descriptors."""

    def __init__(self, container: Container, **fields: Any) -> None:
        layout = container.layout
        state = runtime.state(layout, container.id) if fields.pop("running", False) else None
        identity = {"pid": state.pid, "start_time": state.start_time} if state else {"pid": None}
        fields = {
            "layer_dirs": [LAYER],
            "mounts": [],
            "name": "box",
            **identity,
            **fields,
        }
        self.target = Target(layout, container.id, **fields)

    def stat(self, path: str) -> dict[str, Any]:
        return archive.stat(self.target, path)

    def get(self, path: str) -> dict[str, Member]:
        return _members(lambda out: archive.get(self.target, path, out))

    def export(self) -> dict[str, Member]:
        return _members(lambda out: archive.export(self.target, out))

    def put(self, path: str, *members: Member, raw: bytes | None = None, **options: bool) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(layer(members) if raw is None else raw)
            file.seek(0)
            archive.put(self.target, path, file.fileno(), **options)

    def changes(self) -> dict[str, str]:
        return {change["Path"]: "CAD"[change["Kind"]] for change in archive.changes(self.target)}


def _members(write: Callable[[int], object]) -> dict[str, Member]:
    with tempfile.TemporaryFile() as file:
        write(file.fileno())
        file.seek(0)
        with tarfile.open(fileobj=file) as tar:
            return {info.name: (info, tar.extractfile(info).read() if info.isreg() else b"") for info in tar}  # type: ignore[union-attr]


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """No child process and no mount of an operation outlives it."""
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    before = children.read_text().split(), Path("/proc/self/mounts").read_text().count("/view")
    yield
    after = children.read_text().split(), Path("/proc/self/mounts").read_text().count("/view")
    assert after == before


@pytest.fixture
def files(container: Container) -> Files:
    """A container that never ran, with something in it."""
    made = Files(container)
    made.put(
        "/tmp",
        (member("d", tarfile.DIRTYPE, 0o755), b""),
        (member("d/f", mode=0o4755, uid=1000, gid=1001, mtime=1700000000), b"hello"),
        (member("d/h", tarfile.LNKTYPE, linkname="d/f"), b""),
        (member("d/l", tarfile.SYMTYPE, linkname="f"), b""),
        (member("d/abs", tarfile.SYMTYPE, linkname="/etc"), b""),
        (member("d/nowhere", tarfile.SYMTYPE, linkname="/a/b"), b""),
        (member("d/fifo", tarfile.FIFOTYPE), b""),
        (member("d/null", tarfile.CHRTYPE, devmajor=1, devminor=3), b""),
    )
    return made


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


@given(st.integers(0, (1 << 63) - 1))
def test_times_are_go_s(nanoseconds: int) -> None:
    nanoseconds %= 253_402_300_800 * 10**9
    text = archive.rfc3339(nanoseconds)
    fraction = text[19:-1]
    assert text.endswith("Z")
    assert not fraction.endswith(("0", "."))
    assert int(f"{fraction[1:]:0<9}") == nanoseconds % 10**9


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
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
    mounts = [
        MountPoint("volume", str(tmp_path / "open"), "/open"),
        MountPoint("bind", str(tmp_path / "closed"), "/closed", read_only=True),
    ]
    box = Files(container, read_only=True, mounts=mounts)
    with pytest.raises(InvalidArgument, match=r"^container rootfs is marked read-only$"):
        box.put("/tmp", (member("x"), b""))
    with pytest.raises(InvalidArgument, match=r"^mounted volume is marked read-only$"):
        box.put("/closed", (member("x"), b""))
    box.put("/open", (member("x"), b"1"))
    assert (tmp_path / "open/x").read_bytes() == b"1"


# What a started container sees, and what is seen of it


def test_put_before_the_start(container: Container) -> None:
    Files(container).put("/etc", (member("motd", mode=0o640), b"welcome\n"))
    assert container.output("cat", "/etc/motd") == "welcome\n"


def test_a_running_container(container: Container, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of the volume")
    mounts = (MountPoint("volume", str(tmp_path), "/vol"), MountPoint("tmpfs", "", "/memory"))
    container.start(*SLEEP, mounts=mounts)
    container.exec("sh", "-c", "echo inside > /tmp/made; echo x > /memory/x; mkdir /tmp/empty")
    running = Files(container, running=True, mounts=list(mounts))
    assert running.get("/tmp/made")["made"][1] == b"inside\n"
    assert running.get("/vol/file")["file"][1] == b"of the volume"
    running.put("/tmp", (member("sent"), b"sent\n"))
    assert container.exec("cat", "/tmp/sent") == (b"sent\n", 0)
    assert list(running.get("/proc")) == ["proc"]
    with pytest.raises(NotFound):
        running.stat("/memory/x")
    exported = running.export()
    assert "tmp/made" in exported
    assert "vol" in exported
    assert "vol/file" not in exported
    assert not [name for name in exported if name.startswith(("proc/", "sys/"))]
    changes = running.changes()
    assert (changes["/tmp"], changes["/tmp/made"], changes["/tmp/empty"], changes["/vol"]) == ("C", "A", "A", "A")
    assert not [path for path in changes if path.startswith(("/etc", "/dev", "/proc", "/sys"))]


def test_hostile_links_of_a_running_container(container: Container, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the host")
    container.start(*SLEEP)
    links = {"/out": tmp_path, "/magic": f"/proc/1/root{tmp_path}", "/up": f"../../..{tmp_path}", "/etc/d": "/out"}
    for name, link in links.items():
        container.exec("ln", "-s", str(link), name)
    running = Files(container, running=True)
    for path in ("/out/secret", "/magic/secret", "/up/secret", "/etc/d/secret"):
        with pytest.raises(NotFound):
            running.get(path)
    for path in ("/out", "/magic", "/up", "/etc/d"):
        with pytest.raises(NotFound):
            running.put(path, (member("evil"), b""))
    container.exec("sh", "-c", "mkdir /t; ln -s /out /t/x")
    with pytest.raises(SystemFailure):
        running.put("/t", (member("x/evil"), b""))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


def test_a_device_of_a_container_is_never_opened(container: Container) -> None:
    """Not even when it takes the place of a file between looking and opening: the view is mounted nodev."""
    box = Files(container)
    box.put("/tmp", (member("zero", tarfile.CHRTYPE, 0o666, devmajor=1, devminor=5), b""))

    def open_it() -> None:
        archive_view.enter(box.target)
        os.open("/tmp/zero", os.O_RDONLY)

    with pytest.raises(SystemFailure, match="PermissionError"):
        archive_child.run(open_it, 20)


def test_the_identity_of_the_process_is_checked(container: Container) -> None:
    container.start(*SLEEP)
    running = Files(container, running=True)
    running.target = running.target._replace(start_time=1)
    with pytest.raises(Conflict, match=f"^container {container.id} is not running$"):
        running.stat("/")
    running.target = running.target._replace(start_time=None)
    with pytest.raises(Conflict):
        running.stat("/")


# diff


def test_changes(container: Container) -> None:
    script = "rm /etc/group; echo www:x:9:9:::/bin/sh >> /etc/passwd; mkdir -p /srv/a; touch /srv/a/b; chmod 700 /root"
    container.output("sh", "-c", script)
    assert Files(container).changes() == {
        "/etc": "C", "/etc/group": "D", "/etc/passwd": "C", "/root": "C", "/srv": "A", "/srv/a": "A", "/srv/a/b": "A",
    }  # fmt: skip


def test_a_container_that_changed_nothing(container: Container) -> None:
    container.output("true")
    assert Files(container).changes() == {}


def test_a_directory_made_anew(container: Container) -> None:
    container.output("sh", "-c", "rm -r /tmp; mkdir /tmp; touch /tmp/x")
    assert Files(container).changes() == {"/tmp": "C", "/tmp/x": "A"}


# Streams and their ends


def test_a_reader_that_goes_away_ends_the_work(files: Files) -> None:
    files.put("/tmp", (member("big"), bytes(8 << 20)))
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(Unavailable, match="the client went away"):
        archive.get(files.target, "/tmp/big", writer)
    os.close(writer)


def test_a_reader_that_goes_away_before_a_byte_ends_the_work() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(Unavailable, match="the client went away"):
        archive_child.run(lambda: time.sleep(60), 10, writer)
    os.close(writer)


def test_a_child_that_is_killed_is_noticed() -> None:
    with pytest.raises(SystemFailure, match="the child process was killed"):
        archive_child.run(lambda: os.kill(os.getpid(), signal.SIGKILL), 10)


def test_a_reader_that_stops_ends_the_work(files: Files) -> None:
    files.put("/tmp", (member("big"), bytes(8 << 20)))
    reader, writer = os.pipe()
    with pytest.raises(Unavailable, match="not finished after"):
        archive.get(files.target, "/tmp/big", writer, timeout=0.5)
    os.close(reader)
    os.close(writer)


def test_a_sender_that_stops_ends_the_work(files: Files) -> None:
    reader, writer = os.pipe()
    os.write(writer, layer([(member("slow"), bytes(4000))])[:1000])
    with pytest.raises(Unavailable, match="not finished after"):
        archive.put(files.target, "/tmp", reader, timeout=0.5)
    os.close(reader)
    os.close(writer)


def test_descriptors_that_do_not_block() -> None:
    """Their other owner may have made them so."""
    content = os.urandom(1 << 20)
    reader, writer = os.pipe()
    for fd in (reader, writer):
        os.set_blocking(fd, False)

    def send() -> None:
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            sink = Sink(writer)
            sink.write(b"head")
            sink.copy(file.fileno(), len(content) + 10)
            sink.flush()
        os.close(writer)

    sender = threading.Thread(target=send)
    sender.start()
    received = source(reader).read()
    sender.join()
    os.close(reader)
    assert received == b"head" + content + bytes(10)


def test_kinds_of_go() -> None:
    assert archive.go_mode(stat.S_IFSOCK | 0o1777) == 1 << 24 | 1 << 20 | 0o777
    assert archive.go_mode(stat.S_IFREG | 0o2644) == 1 << 22 | 0o644
    assert archive.go_mode(stat.S_IFBLK) == 1 << 26
