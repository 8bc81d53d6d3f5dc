from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from install import logs

if TYPE_CHECKING:
    from pathlib import Path


def _follow(directory: Path, steps: list[object]) -> None:
    """Follow the log of ``web`` and do one step before each look at it."""
    pending = iter(steps)

    def stopped() -> bool:
        action = next(pending, None)
        if action is None:
            return True
        assert callable(action)
        action()
        return False

    logs.follow(directory, ["web"], stopped)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "PAUSE", 0)


def test_only_new_and_complete_lines_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "web.log"
    log.write_text("old\n")

    def append(text: str) -> None:
        with log.open("a") as file:
            file.write(text)

    _follow(tmp_path, [lambda: append("one\ntw"), lambda: append("o\n")])
    assert capsys.readouterr().out == "web │ one\nweb │ two\n"


def test_rotation_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "web.log"
    log.write_text("")

    def rotate() -> None:
        with log.open("a") as file:
            file.write("before\n")
        log.rename(tmp_path / "web.log.1")
        log.write_text("after\n")

    _follow(tmp_path, [rotate])
    assert capsys.readouterr().out == "web │ before\nweb │ after\n"


def test_a_log_that_appears_later_is_shown_from_its_beginning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _follow(tmp_path, [lambda: (tmp_path / "web.log").write_text("first\n")])
    assert capsys.readouterr().out == "web │ first\n"
