from __future__ import annotations

import sys

import pytest

from install.steps import Failure, step


def test_a_failing_program_shows_the_end_of_its_output(capsys: pytest.CaptureFixture[str]) -> None:
    script = "print('much'); print('the reason'); raise SystemExit(3)"
    with pytest.raises(Failure, match=r"(?s)status 3.*the reason"), step("Trying") as running:
        running.run([sys.executable, "-c", script])
    assert "✘ Trying" in capsys.readouterr().out


def test_an_outcome_replaces_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    with step("Packages") as running:
        running.done("up to date")
    assert capsys.readouterr().out.split() == ["✔", "Packages", "up", "to", "date"]
