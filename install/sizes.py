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
    if lines > MODULE_LINES:
        yield f"{name}:1: module has {lines} lines, {MODULE_LINES} are allowed"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines, {FUNCTION_LINES} are allowed"
