from __future__ import annotations

from typing import TYPE_CHECKING

from install import check, packages, sizes, stamps
from install.settings import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_an_overlong_function_and_module_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sizes, "CHECKOUT", tmp_path)
    room = tmp_path / "engine"
    room.mkdir()
    (room / "long.py").write_text("def f():\n" + "    pass\n" * sizes.FUNCTION_LINES)
    (room / "big.py").write_text("pass\n" * (sizes.MODULE_LINES + 1))
    (room / "fine.py").write_text("def f():\n" + "    pass\n" * (sizes.FUNCTION_LINES - 1))
    assert sizes.violations() == [
        "engine/big.py:1: module has 401 lines, 400 are allowed",
        "engine/long.py:1: f has 41 lines, 40 are allowed",
    ]


def test_shell_files_named_to_the_gate_exist() -> None:
    assert all((CHECKOUT / name).is_file() for name in check.SHELL_FILES)


def test_only_packages_that_are_not_there_count_as_missing() -> None:
    assert packages.missing(["dpkg", "no-such-package-at-all"]) == ["no-such-package-at-all"]


def test_a_stamp_tells_a_changed_file(tmp_path: Path) -> None:
    source, stamp = tmp_path / "source", tmp_path / "below" / "stamp"
    source.write_text("one")
    stamps.record(stamp, stamps.digest([source]))
    assert stamps.unchanged(stamp, stamps.digest([source]))
    source.write_text("two")
    assert not stamps.unchanged(stamp, stamps.digest([source]))
