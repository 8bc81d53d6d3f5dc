from __future__ import annotations

from pathlib import Path

import pytest

from engine.layout import Layout
from install import database, stamps
from install.settings import Settings


@pytest.mark.parametrize(("url", "asked"), [("", 0), ("postgresql://user@host/name", 1)])
def test_only_a_database_below_home_is_known_to_be_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, asked: int
) -> None:
    settings = Settings(Layout(tmp_path, tmp_path / "run"), "127.0.0.1:8000", "", url, "local")
    settings.layout.database.parent.mkdir()
    settings.layout.database.touch()
    calls: list[Settings] = []
    monkeypatch.setattr(database, "_seed", calls.append)
    monkeypatch.setattr(database, "_create_file", lambda _path: None)
    monkeypatch.setattr(stamps, "unchanged", lambda _stamp, _value: True)
    database.ensure(settings)
    assert len(calls) == asked
