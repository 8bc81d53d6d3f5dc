"""Reading logs: tails, rotation under the reader's feet, torn lines."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.logs import EVERYTHING, Follower, Record, Selection, decode, read
from engine.rfc3339 import render_fixed

SECOND = 10**9


def record(number: int, stream: str = "stdout", text: str = "line {}\n") -> Record:
    return Record(stream, render_fixed(number * SECOND), text.format(number).encode())


def encode(item: Record) -> bytes:
    return orjson.dumps({"log": item.line.decode(), "stream": item.stream, "time": item.time}) + b"\n"


class Writer:
    """Writes as a shim does: appends lines, rotates by rename."""

    def __init__(self, path: Path, files: int = 3) -> None:
        self.path, self.files = path, files
        self.number = 0
        path.touch()

    def write(self, count: int) -> list[Record]:
        items = [record(self.number + index) for index in range(count)]
        self.number += count
        with self.path.open("ab") as file:
            file.writelines(map(encode, items))
        return items

    def rotate(self) -> None:
        for number in range(self.files - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number - 1}") if number > 1 else self.path
            if older.exists():
                older.replace(self.path.with_name(f"{self.path.name}.{number}"))
        self.path.touch()


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "log")


def everything(follower: Follower) -> list[Record]:
    found: list[Record] = []
    while batch := follower.read():
        found += batch
    return found


def numbers(path: Path, tail: int | None = None, selection: Selection = EVERYTHING) -> list[int]:
    return [int(item.line.split()[1]) for batch in read(path, selection, tail) for item in batch]


def test_rotated_files_are_read_oldest_first(writer: Writer) -> None:
    for _ in range(3):
        writer.write(4)
        writer.rotate()
    writer.write(1)
    assert numbers(writer.path) == list(range(4, 13))


@pytest.mark.parametrize("tail", [0, 1, 2, 3, 4, 5, 8, 9, 100])
def test_a_tail_reaches_into_rotated_files(writer: Writer, tail: int) -> None:
    for _ in range(2):
        writer.write(3)
        writer.rotate()
    writer.write(2)
    assert numbers(writer.path, tail) == list(range(8))[-tail if tail else 8 :]


def test_a_tail_of_long_lines_crosses_blocks(writer: Writer) -> None:
    items = [record(number, text="x" * 40_000 + " {}\n") for number in range(9)]
    writer.path.write_bytes(b"".join(map(encode, items)))
    assert [item for batch in read(writer.path, tail=5) for item in batch] == items[-5:]


def test_a_follower_goes_on_where_the_history_ended(writer: Writer) -> None:
    writer.write(5)
    with Follower(writer.path, tail=2) as follower:
        assert [item.line for item in everything(follower)] == [b"line 3\n", b"line 4\n"]
        assert follower.read() == []
        added = writer.write(2)
        assert everything(follower) == added


def test_a_follower_survives_rotation_without_loss_or_repetition(writer: Writer) -> None:
    expected = writer.write(2)
    with Follower(writer.path) as follower:
        found = everything(follower)
        expected += writer.write(2)
        writer.rotate()
        expected += writer.write(2)
        writer.rotate()
        expected += writer.write(1)
        found += everything(follower)
        writer.rotate()
        assert follower.read() == []
        expected += writer.write(3)
        found += everything(follower)
    assert found == expected


def test_a_follower_that_was_left_behind_finishes_its_file_and_takes_the_oldest(writer: Writer) -> None:
    with Follower(writer.path) as follower:
        writer.write(3)
        for _ in range(4):
            writer.rotate()
            writer.write(1)
        assert [item.line for item in everything(follower)] == [
            b"line 0\n", b"line 1\n", b"line 2\n", b"line 4\n", b"line 5\n", b"line 6\n",
        ]  # fmt: skip


def test_a_snapshot_ends_although_the_writer_goes_on(writer: Writer) -> None:
    expected = writer.write(3)
    with Follower(writer.path, snapshot=True) as follower:
        writer.write(3)
        writer.rotate()
        writer.write(3)
        assert everything(follower) == expected


def test_a_log_that_does_not_exist_is_empty_until_it_does(tmp_path: Path) -> None:
    with Follower(tmp_path / "log", tail=5) as follower:
        assert follower.read() == []
        expected = Writer(tmp_path / "log").write(2)
        assert everything(follower) == expected
    assert list(read(tmp_path / "none")) == []


def test_an_emptied_file_is_read_from_its_beginning(writer: Writer) -> None:
    writer.write(3)
    with Follower(writer.path) as follower:
        everything(follower)
        os.truncate(writer.path, 0)
        expected = writer.write(1)
        assert everything(follower) == expected


def test_a_line_is_given_out_when_it_is_complete(writer: Writer) -> None:
    line = encode(record(1))
    writer.path.write_bytes(line[:20])
    with Follower(writer.path) as follower:
        assert follower.read() == []
        with writer.path.open("ab") as file:
            file.write(line[20:])
        assert follower.read() == [record(1)]


def test_torn_and_foreign_lines_are_left_out() -> None:
    good = encode(record(1))
    bad = [b"{\n", b"\n", b"null\n", b'{"log":1,"stream":"stdout","time":"t"}\n', good[:-9] + b"\n", b"\xff\n"]
    for line in bad:
        assert decode(good + line + good) == [record(1), record(1)]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(encode(record(1)))
    (tmp_path / "log").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic links"):
        list(read(tmp_path / "log"))


def test_a_selection_cuts_by_stream_and_time(writer: Writer) -> None:
    items = [record(number, "stderr" if number % 2 else "stdout") for number in range(10)]
    writer.path.write_bytes(b"".join(map(encode, items)))
    assert numbers(writer.path, None, Selection(since=3 * SECOND, until=6 * SECOND)) == [3, 4, 5, 6]
    assert numbers(writer.path, None, Selection(stdout=False)) == [1, 3, 5, 7, 9]
    assert numbers(writer.path, 4, Selection(stderr=False)) == [6, 8]
    assert numbers(writer.path, None, Selection(stdout=False, stderr=False)) == []
    assert numbers(writer.path, None, Selection(since=10**40, until=-(10**40))) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000000Z"),
        ("2026-01-02T03:04:05.12Z", "2026-01-02T03:04:05.120000000Z"),
    ],
)
def test_times_have_nine_digits(given: str, expected: str) -> None:
    line = orjson.dumps({"log": "x\n", "stream": "stdout", "time": given}) + b"\n"
    assert decode(line) == [Record("stdout", expected, b"x\n")]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), TEXT, st.integers(0, 2**61)), max_size=8))
def test_what_was_written_is_read(items: list[tuple[str, str, int]]) -> None:
    records = [Record(stream, render_fixed(moment), text.encode()) for stream, text, moment in items]
    assert decode(b"".join(map(encode, records))) == records


@given(st.binary(max_size=200))
def test_nothing_in_a_file_makes_decoding_fail(block: bytes) -> None:
    decode(block + b"\n")


@given(st.integers(0, 2**61), st.integers(0, 2**61))
def test_timestamps_sort_as_text(first: int, second: int) -> None:
    assert (first < second) == (render_fixed(first) < render_fixed(second))


@given(st.lists(st.sampled_from(["write", "rotate", "read"]), max_size=30), st.none() | st.integers(0, 5))
def test_a_follower_sees_each_line_once(steps: list[str], tail: int | None) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        writer = Writer(path, files=99)
        expected = writer.write(3)[-tail if tail else (3 if tail == 0 else 0) :]
        with Follower(path, tail) as follower:
            found: list[Record] = []
            for step in steps:
                if step == "write":
                    expected += writer.write(2)
                elif step == "rotate":
                    writer.rotate()
                else:
                    found += follower.read()
            assert found + everything(follower) == expected
