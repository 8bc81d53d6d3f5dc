"""Readers of MUELLE_* variables are loud."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from controlpanel import environment


@pytest.mark.parametrize(("text", "value"), [("", True), ("1", True), ("Yes", True), ("off", False), ("0", False)])
def test_flag(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("MUELLE_X", text)
    assert environment.flag("MUELLE_X", True) is value


def test_a_bad_flag_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUELLE_X", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="MUELLE_X"):
        environment.flag("MUELLE_X", True)


def test_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUELLE_X", " a, b ,,c ")
    assert environment.words("MUELLE_X", []) == ["a", "b", "c"]


def test_sqlite_takes_its_lock_at_the_start_of_a_transaction(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MUELLE_DATABASE_URL", raising=False)
    database = environment.database("MUELLE_DATABASE_URL", tmp_path / "db")
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]


@pytest.mark.parametrize("url", ["mysql://h/db", "postgresql://h", "postgresql://h:port/db", "nonsense"])
def test_a_bad_database_url_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    monkeypatch.setenv("MUELLE_DATABASE_URL", url)
    with pytest.raises(ImproperlyConfigured, match="MUELLE_DATABASE_URL"):
        environment.database("MUELLE_DATABASE_URL", tmp_path / "db")


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    first = environment.secret_key(path)
    assert len(first) >= 48
    assert environment.secret_key(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret.key"]


def test_without_its_directory_the_secret_is_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "secret.key"
    assert environment.secret_key(path) != environment.secret_key(path)
    assert not path.parent.exists()
