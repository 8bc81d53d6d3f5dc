"""The log in Docker's json-file form."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.shim.logfile import PARTIAL_SIZE, LogFile, escape

Made = tuple[LogFile, Path]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    path = tmp_path / "log"
    return LogFile(str(path), 0, 1, -1), path


def _records(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@given(st.binary())
def test_any_bytes_come_back_as_text(data: bytes) -> None:
    assert json.loads(b'"' + escape(data) + b'"') == data.decode("utf-8", "replace")


@given(st.text(alphabet='ab\\n\t"\\\x00\x1f\x7f/<é\u2028\u2029\uffff😀', max_size=60))
def test_what_has_a_meaning_in_json_comes_back(text: str) -> None:
    escaped = escape(text.encode())
    assert json.loads(b'"' + escaped + b'"') == orjson.loads(b'"' + escaped + b'"') == text
    # Other readers cut at these: the escaped text is one line for all of them.
    assert len(escaped.decode().splitlines()) <= 1


def test_lines_of_both_streams_are_put_together(made: Made) -> None:
    log, path = made
    log.write("stdout", b"one\ntw")
    log.write("stderr", b"bad")
    log.write("stdout", b"o\n")
    log.flush()
    assert [(record["stream"], record["log"]) for record in _records(path)] == [
        ("stdout", "one\n"),
        ("stdout", "two\n"),
        ("stderr", "bad"),
    ]


def test_a_backslash_n_of_the_program_is_no_newline(made: Made) -> None:
    log, path = made
    log.write("stdout", b"a\\nb\nc\n")
    assert [record["log"] for record in _records(path)] == ["a\\nb\n", "c\n"]


def test_long_lines_are_cut_between_characters(made: Made) -> None:
    log, path = made
    text = "x" * (PARTIAL_SIZE - 1) + "é" * 20_000
    log.write("stdout", text.encode() + b"\nshort\n")
    pieces = [record["log"] for record in _records(path)]
    assert "".join(pieces) == text + "\nshort\n"
    assert all(len(piece.encode()) <= PARTIAL_SIZE for piece in pieces)
    assert pieces[-1] == "short\n"


@given(st.lists(st.binary(max_size=40) | st.text(alphabet='n\\"\n\x00', max_size=40).map(str.encode), max_size=8))
def test_whatever_the_reads_the_text_is_whole(tmp_path_factory: pytest.TempPathFactory, reads: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    log = LogFile(str(path), 0, 1, -1)
    for read in reads:
        log.write("stdout", read)
    log.flush()
    lines = b"".join(reads).split(b"\n")
    expected = [line.decode("utf-8", "replace") + "\n" for line in lines[:-1]] + [lines[-1].decode("utf-8", "replace")]
    assert [record["log"] for record in _records(path)] == [line for line in expected if line]


def test_rotation_keeps_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogFile(str(path), 1000, 3, -1)
    for number in range(100):
        log.write("stdout", b"line %d\n" % number)
    files = [tmp_path / "log.2", tmp_path / "log.1", path]
    texts = [record["log"] for file in files for record in _records(file)]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert texts == [f"line {number}\n" for number in range(100)][-len(texts) :]
    assert all(file.stat().st_size <= 1000 for file in files)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for one file."""
    place = tmp_path / "full"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=2", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.kernel
def test_a_rotation_that_fails_is_made_up_for_later(full: Path, tmp_path: Path) -> None:
    path = full / "log"
    log = LogFile(str(path), 200, 3, -1)
    for number in range(5):
        log.write("stdout", b"line %d\n" % number)
    # What another part of the shim opens now has the number that the log's file had.
    with (tmp_path / "other").open("wb") as other:
        log.write("stdout", b"lost\n")
        assert os.fstat(other.fileno()).st_size == 0
    subprocess.run(["mount", "-o", "remount,nr_inodes=10", full], check=True)
    log.write("stdout", b"back\n")
    assert [record["log"] for record in _records(path)] == ["back\n"]
    os.close(log._fd)
