"""One undo stack for one operation."""

from __future__ import annotations

import logging

import pytest

from engine.undo import undone_on_failure


def test_success_undoes_nothing() -> None:
    done: list[str] = []
    with undone_on_failure("work") as undo:
        undo.callback(done.append, "undone")
    assert done == []


def test_failure_undoes_the_last_step_first_and_reports_both_failures(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def fail() -> None:
        raise OSError("stuck")

    def work() -> None:
        with undone_on_failure("work") as undo:
            undo.callback(done.append, "first")
            undo.callback(fail)
            undo.callback(done.append, "last")
            raise ValueError("wrong")

    with caplog.at_level(logging.ERROR), pytest.raises(ValueError, match="wrong") as caught:
        work()
    assert done == ["last", "first"]
    assert caught.value.__notes__ == ["undoing the work failed, too: OSError('stuck')"]
    assert "undoing the work failed after: ValueError('wrong')" in caplog.text


def test_what_was_taken_over_stays() -> None:
    done: list[str] = []

    def work() -> None:
        with undone_on_failure("work") as undo:
            undo.callback(done.append, "undone")
            undo.pop_all()
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        work()
    assert done == []
