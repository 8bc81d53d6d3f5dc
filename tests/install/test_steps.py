from __future__ import annotations

import sys

import pytest

from install.steps import Failure, capture, step


def test_a_failing_program_shows_the_end_of_its_output(capsys: pytest.CaptureFixture[str]) -> None:
    script = "print('much'); print('the reason'); raise SystemExit(3)"
    with pytest.raises(Failure, match=r"(?s)status 3.*the reason"), step("Trying") as running:
        running.run([sys.executable, "-c", script])
    assert "✘ Trying" in capsys.readouterr().out


def test_an_environment_is_passed_on_alone_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLERS", "own")
    assert capture(["/usr/bin/env"], {"URL": "redis://:secret@host"}) == "URL=redis://:secret@host\n"
    with pytest.raises(Failure) as caught:
        capture(["/bin/false"], {"URL": "redis://:secret@host"})
    assert "secret" not in str(caught.value)


def test_an_outcome_replaces_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    with step("Packages") as running:
        running.done("up to date")
    assert capsys.readouterr().out.split() == ["✔", "Packages", "up", "to", "date"]
