"""The tar reader: what real programs write comes out right, and no damage goes unnoticed."""

from __future__ import annotations

import contextlib
import io
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.archives.reader import Entry, TarReader
from engine.errors import InvalidArgument
from tests.support.archives import layer, member

Format = Literal[0, 1, 2]
FORMATS: tuple[Format, ...] = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


def read(data: bytes) -> list[tuple[Entry, bytes]]:
    reader = TarReader(io.BytesIO(data))
    return [(entry, b"".join(reader.chunks())) for entry in reader]


@pytest.mark.parametrize("form", FORMATS)
def test_fields_of_each_format(form: Format) -> None:
    info = member("dir/file", mode=0o4755, uid=1000, gid=2000, mtime=1700000000)
    info.size = 5
    data = info.tobuf(form) + b"hello".ljust(512, b"\0") + bytes(1024)
    [(entry, content)] = read(data)
    assert (entry.name, entry.kind, entry.mode, entry.uid, entry.gid) == ("dir/file", stat.S_IFREG, 0o4755, 1000, 2000)
    assert (entry.mtime_ns, content) == (1700000000 * 10**9, b"hello")


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_links_and_big_numbers(form: Format) -> None:
    info = member("d/" * 60 + "x" * 120, tarfile.SYMTYPE, linkname="y" * 300, uid=3_000_000, gid=4_000_000)
    [(entry, _)] = read(info.tobuf(form) + bytes(1024))
    assert (entry.name, entry.linkname) == (info.name, info.linkname)
    assert (entry.uid, entry.gid) == (3_000_000, 4_000_000)


def test_ustar_prefix() -> None:
    info = member("a" * 90 + "/" + "b" * 90)
    [(entry, _)] = read(info.tobuf(tarfile.USTAR_FORMAT) + bytes(1024))
    assert entry.name == info.name


def test_attributes_and_fractions_of_a_second() -> None:
    value = b"\x01\0\0\x02\xff"
    headers = {"SCHILY.xattr.security.capability": value.decode("utf-8", "surrogateescape"), "mtime": "1.25"}
    [(entry, _)] = read(layer([(member("f", pax_headers=headers), b"")]))
    assert entry.xattrs == {"security.capability": value}
    assert entry.mtime_ns == 1_250_000_000


@pytest.mark.parametrize("form", ["gnu", "posix --sparse-version=1.0", "posix --sparse-version=0.1"])
def test_sparse_files_of_gnu_tar(form: str, tmp_path: Path) -> None:
    size = 40 << 20
    with (tmp_path / "sparse").open("wb") as file:
        for part in range(30):
            file.seek(part << 20)
            file.write(b"%4d" % part * 2048)
        file.truncate(size)
    command = f"tar --sparse --format={form} -cf - sparse"
    data = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=True).stdout
    [(entry, content)] = read(data)
    assert (entry.name, entry.size) == ("sparse", size)
    assert entry.sparse
    whole, position = bytearray(size), 0
    for offset, length in entry.sparse:
        whole[offset : offset + length] = content[position : position + length]
        position += length
    assert whole == (tmp_path / "sparse").read_bytes()


def test_a_damaged_header_is_not_the_end() -> None:
    data = bytearray(layer([(member("one"), b"1"), (member("two"), b"2")]))
    data[1024] ^= 1  # the first letter of the second name
    with pytest.raises(InvalidArgument, match=r"^archive/tar: invalid tar header$"):
        read(bytes(data))


def test_an_archive_cut_anywhere_is_noticed() -> None:
    """Docker accepts a missing end mark, so the borders of entries are the only places where a cut is not an error."""
    data = layer([(member("x" * 200), b"1" * 700), (member("two"), b"2" * 100)])[:-1024]
    whole = len(read(data))
    borders = set()
    for cut in range(len(data) + 1):
        try:
            entries = read(data[:cut])
        except InvalidArgument as failure:
            assert failure.message in ("unexpected EOF", "archive/tar: invalid tar header")  # noqa: PT017
        else:
            borders.add(len(entries))
            assert cut % 512 == 0
    assert borders == set(range(whole + 1))


def test_an_extended_header_of_any_length_is_not_read() -> None:
    info = member("x", b"x")
    info.size = 1 << 30
    with pytest.raises(InvalidArgument, match=r"header field too long"):
        read(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))


@pytest.mark.parametrize(
    "records",
    [b"5 a=\n", b"99 path=x\n", b"0 path=x\n", b"9 path=x\0", b"x", b"8 path=\n", b"11 size=-1\n", b"-9 path=x\n"],
)
def test_bad_extended_records(records: bytes) -> None:
    header = member("pax", b"x")
    header.size = len(records)
    data = header.tobuf(tarfile.GNU_FORMAT) + records.ljust(512, b"\0") + member("f").tobuf() + bytes(1024)
    if records in (b"5 a=\n", b"8 path=\n"):
        read(data)  # an empty value is allowed and means nothing
        return
    with pytest.raises(InvalidArgument):
        read(data)


def test_numbers_are_not_what_int_accepts() -> None:
    data = bytearray(member("x").tobuf())
    data[124:136] = b"0000000_0001"
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data)
    with pytest.raises(InvalidArgument):
        read(bytes(data))


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"^unhandled tar header type 90$"):
        read(layer([(member("x", b"Z"), b"")]))


def test_a_slash_makes_a_directory_only_where_no_kind_is_given() -> None:
    found = read(layer([(member("old/", tarfile.AREGTYPE), b""), (member("file/"), b"data"), (member("next"), b"")]))
    assert [(entry.name, stat.S_IFMT(entry.kind), content) for entry, content in found] == [
        ("old/", stat.S_IFDIR, b""),
        ("file/", stat.S_IFREG, b"data"),
        ("next", stat.S_IFREG, b""),
    ]


@given(st.binary(max_size=3000))
def test_noise_raises_only_our_error(noise: bytes) -> None:
    with contextlib.suppress(InvalidArgument):
        read(noise)


@given(st.data())
def test_a_changed_byte_raises_only_our_error(data: st.DataObject) -> None:
    whole = bytearray(layer([(member("n" * 120, linkname="l" * 120, pax_headers={"mtime": "1.5"}), b"c" * 600)]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InvalidArgument):
        read(bytes(whole))


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=300),
            st.binary(max_size=2000),
        ),
        max_size=6,
    )
)
def test_what_tarfile_writes(files: list[tuple[str, bytes]]) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        expected = [info.name for info in archive]
    found = read(out.getvalue())
    assert [entry.name.rstrip("/") for entry, _ in found] == [name.rstrip("/") for name in expected]
    assert [content for entry, content in found if entry.size] == [content for _, content in files if content]
