"""Looking up the user of a process in the container's own files."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.shim.users import User, lookup
from engine.errors import InvalidArgument


@pytest.fixture
def root(tmp_path: Path) -> str:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nann:x:7:8::/home/ann:\nbad:x:seven:8::/:\nshort:x\n"
    )
    (tmp_path / "etc/group").write_text("staff:x:8:\nmore:x:9:bob,ann\n")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", User(0, 0, [0], "/root")),
        ("ann", User(7, 8, [8, 9], "/home/ann")),
        ("7", User(7, 8, [8, 9], "/home/ann")),
        ("ann:more", User(7, 9, [9], "/home/ann")),
        ("1234", User(1234, 0, [0], "/")),
        ("1234:55", User(1234, 55, [55], "/")),
    ],
)
def test_lookup(root: str, text: str, expected: User) -> None:
    assert lookup(text, (), root) == expected


def test_additional_groups(root: str) -> None:
    assert lookup("0", ["more", "1000"], root).groups == [0, 9, 1000]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("eve", "unable to find user eve: no matching entries in passwd file"),
        ("bad", "unable to find user bad: no matching entries in passwd file"),
        ("ann:nogroup", "unable to find group nogroup: no matching entries in group file"),
        ("4294967296", "unable to find user 4294967296: no matching entries in passwd file"),
        ("9" * 10_000, f"unable to find user {'9' * 64}…: no matching entries in passwd file"),
        ("e" * 10_000, f"unable to find user {'e' * 64}…: no matching entries in passwd file"),
        ("0:" + "9" * 10_000, f"unable to find group {'9' * 64}…: no matching entries in group file"),
        ("\u0661", "unable to find user \u0661: no matching entries in passwd file"),
    ],
)
def test_unknown_names(root: str, text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        lookup(text, (), root)
    assert str(caught.value) == message


def test_a_fifo_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/passwd")
    assert lookup("5", (), str(tmp_path)) == User(5, 0, [0], "/")


def test_numbers_longer_than_the_interpreter_reads(root: str) -> None:
    """int() refuses more than 4,300 digits; a container writes what it likes into these files."""
    long = "9" * 10_000
    Path(root, "etc/passwd").write_text(f"a:x:{long}:0::/a:\nb:x:0:{long}::/b:\nann:x:{'0' * 5000}7:8::/home/ann:\n")
    Path(root, "etc/group").write_text(f"staff:x:{long}:ann\nmore:x:{'0' * 5000}9:ann\n")
    assert lookup("ann", ["0" * 5000 + "3"], root) == User(7, 8, [3, 8, 9], "/home/ann")
    assert lookup("1" + "0" * 5, (), root).uid == 100_000


@given(st.text())
def test_any_user_is_found_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        lookup(text, (text,), "/nonexistent")


@given(st.binary())
def test_no_file_makes_it_fail_otherwise(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    root = tmp_path_factory.mktemp("root")
    (root / "etc").mkdir()
    (root / "etc/passwd").write_bytes(content)
    assert lookup("12345", (), str(root)).uid == 12345
