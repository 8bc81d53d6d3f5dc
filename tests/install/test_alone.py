"""Two commands in one checkout do not set it up over each other, and what they do afterwards holds up nobody."""

from __future__ import annotations

import fcntl
import subprocess
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from install import accounts, alone, bench, check, environment, packages, page, preflight, sizes, test

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 30.0
COMMANDS: dict[str, Callable[[], int]] = {
    "test": lambda: test.test([]),
    "check": check.check,
    "bench": lambda: bench.bench([]),
}
STEPS = (
    (packages, "ensure"),
    (environment, "ensure"),
    (accounts, "ensure"),
    (page, "ensure"),
    (page, "ensure_packages"),
)


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(alone, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, cache: Path) -> list[tuple[str, bool]]:
    """Each step that would change the checkout and each program that would run; and whether it was held meanwhile."""
    seen: list[tuple[str, bool]] = []

    def record(name: str, result: Any) -> Callable[..., Any]:
        def run(*_args: Any, **_options: Any) -> Any:
            seen.append((name, _is_held(cache)))
            return result

        return run

    for module, name in STEPS:
        monkeypatch.setattr(module, name, record("set-up", ""))
    monkeypatch.setattr(preflight, "check", lambda _settings: None)
    monkeypatch.setattr(sizes, "violations", list)
    monkeypatch.setattr(subprocess, "run", record("run", subprocess.CompletedProcess([], 0, "", "")))
    return seen


def _is_held(cache: Path) -> bool:
    with (cache / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@pytest.mark.parametrize("command", COMMANDS)
def test_a_checkout_is_held_while_it_is_set_up_and_no_longer(command: str, seen: list[tuple[str, bool]]) -> None:
    assert COMMANDS[command]() == 0
    assert set(seen) == {("set-up", True), ("run", False)}


def test_a_second_set_up_waits_and_says_so(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = threading.Event()

    def set_up() -> None:
        with alone.alone():
            done.set()

    with alone.alone():
        second = threading.Thread(target=set_up)
        second.start()
        assert not done.wait(0.3)
    assert done.wait(PATIENCE)
    second.join()
    assert capsys.readouterr().out == "waiting for another set-up in this checkout\n"
