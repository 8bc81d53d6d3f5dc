"""Limits on the tail of the size distribution: no module and no function grows past what a reader holds in mind."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from install.settings import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOMS = ("engine", "controlpanel", "frontend", "install", "tests")
MODULE_LINES = 400
TEST_MODULE_LINES = 500  # many small functions under one heading
FUNCTION_LINES = 40
IGNORED = {"migrations", "node_modules", "dist"}


def violations() -> list[str]:
    """``path:line: what is too long`` for everything over its limit."""
    return [text for path in _modules() for text in _in_module(path)]


def _modules() -> Iterator[Path]:
    for room in ROOMS:
        for path in sorted((CHECKOUT / room).rglob("*.py")):
            if not IGNORED & set(path.parts):
                yield path


def _in_module(path: Path) -> Iterator[str]:
    text = path.read_text()
    name = path.relative_to(CHECKOUT)
    lines = text.count("\n")
    allowed = TEST_MODULE_LINES if name.parts[0] == "tests" else MODULE_LINES
    if lines > allowed:
        yield f"{name}:1: module has {lines} lines, {allowed} are allowed"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines, {FUNCTION_LINES} are allowed"
