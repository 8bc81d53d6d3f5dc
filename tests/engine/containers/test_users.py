"""Looking up the user of a process in the container's own files."""

from __future__ import annotations

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


@given(st.binary())
def test_no_file_makes_it_fail_otherwise(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    root = tmp_path_factory.mktemp("root")
    (root / "etc").mkdir()
    (root / "etc/passwd").write_bytes(content)
    assert lookup("12345", (), str(root)).uid == 12345
