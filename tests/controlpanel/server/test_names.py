"""Names that the server room uses of other packages without a promise that they stay: decision 0011 lists them."""

from __future__ import annotations

import importlib
import inspect
import re
from functools import reduce
from importlib.metadata import version
from pathlib import Path

import pytest

NOTE = Path(__file__).resolve().parents[3] / "docs/decisions/0011-http-is-read-by-llhttp-websockets-by-daphne.md"
ROW = re.compile(r"\| `(?P<package>\w+)` \| `(?P<module>[\w.]+)` \| `(?P<name>[\w.]+)` \|")
ROWS = [match.groups() for match in ROW.finditer(NOTE.read_text())]


def test_the_table_is_read() -> None:
    assert len(ROWS) > 10


@pytest.mark.parametrize(("package", "module", "name"), ROWS)
def test_a_name_is_still_there(package: str, module: str, name: str) -> None:
    """An attribute of a module or class, or a word of the class's source, for what only instances have."""
    found = importlib.import_module(module)
    owner, _, last = name.rpartition(".")
    try:
        holder = reduce(getattr, owner.split("."), found) if owner else found
        there = hasattr(holder, last) or bool(re.search(rf"\b{last}\b", inspect.getsource(holder)))
    except AttributeError:
        there = False
    assert there, (
        f"{package} {version(package)} has no {module}.{name} any more: {NOTE.name} says what needs it and what to do"
    )
