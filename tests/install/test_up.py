from __future__ import annotations

from pathlib import Path

import pytest

from engine.layout import Layout
from install import starter, up
from install.api import ApiError
from install.settings import Settings
from install.steps import Failure


def test_what_the_engine_says_is_told_without_a_trace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(_settings: Settings) -> None:
        raise ApiError(503, "the broker does not answer")

    monkeypatch.setattr(starter, "ensure", refuse)
    with pytest.raises(Failure, match="the broker does not answer") as caught:
        up._try_out(Settings(Layout(tmp_path, tmp_path), "127.0.0.1:8000", "", "", "local"))
    assert str(tmp_path / "logs") in caught.value.hint
