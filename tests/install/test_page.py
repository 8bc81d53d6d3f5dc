from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from install import page
from install.steps import Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Recorder(Step):
    """A step that installs by writing programs that do nothing but tell a version."""

    def __init__(self) -> None:
        super().__init__("npm packages")
        self.commands: list[list[str]] = []

    def run(
        self, argv: Sequence[str | Path], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.commands.append([str(word) for word in argv])
        if "pip" in str(argv[0]):
            _program(page.NODE_VENV / "bin" / "node", "v22.20.0")
            _program(page.NODE_VENV / "bin" / "npm", "10")


def _program(path: Path, version: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory of the PATH; node's own environment is not there yet."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(page, "NODE_VENV", tmp_path / "node")
    return tmp_path / "bin"


@pytest.mark.parametrize(("node", "npm"), [("v18.20.4", False), ("v16.20.0", True), ("", True), ("", False)])
def test_what_the_system_lacks_is_installed_once(system: Path, node: str, npm: bool) -> None:
    if node:
        _program(system / "node", node)
    if npm:
        _program(system / "npm", "9")
    first, second = Recorder(), Recorder()
    assert page._node(first) == f"{page.NODE_VENV / 'bin'}:{system}"
    assert first.commands[-1][-1] == page.NODE_PACKAGE
    assert page._node(second) == f"{page.NODE_VENV / 'bin'}:{system}"
    assert second.commands == []


def test_the_systems_node_and_npm_are_used(system: Path) -> None:
    _program(system / "node", "v18.20.4")
    _program(system / "npm", "9")
    running = Recorder()
    assert page._node(running) == str(system)
    assert running.commands == []
