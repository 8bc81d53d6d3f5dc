"""Lists of objects on the terminal: docker's tables, ``--format`` and ``--quiet``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .template import Template

Row = dict[str, Any]

_WIDTH, _PADDING = 10, 3


class Listing(NamedTuple):
    """How one kind of object is listed: the columns of the plain table, and a heading for every field there is."""

    columns: tuple[str, ...]
    headings: Mapping[str, str]

    def show(self, rows: Iterable[Row], form: str | None = None, columns: Iterable[str] | None = None) -> None:
        """Print ``rows`` as ``--format`` says."""
        form = form or "table"
        if form == "json":
            sys.stdout.writelines(
                json.dumps(plain(row), separators=(",", ":"), ensure_ascii=False) + "\n" for row in rows
            )
        elif form.startswith("table"):
            source = form.removeprefix("table").strip()
            names = "\t".join(f"{{{{.{name}}}}}" for name in columns or self.columns)
            template = Template(_unescape(source) or names)
            headings = {**self.headings, "Label": lambda key: key}
            lines = [template.render(headings), *(template.render(row) for row in rows)]
            sys.stdout.write(table([line.split("\t") for line in lines]))
        else:
            template = Template(_unescape(form))
            sys.stdout.writelines(template.render(row) + "\n" for row in rows)


def plain(row: Row) -> Row:
    """A row without its methods, sorted as Go sorts."""
    return {name: row[name] for name in sorted(row) if not callable(row[name])}


def table(lines: list[list[str]], minimum: int = _WIDTH) -> str:
    """Cells in columns, three spaces apart; the last one is not filled up."""
    widths: list[int] = []
    for cells in lines:
        for index, cell in enumerate(cells[:-1]):
            if index == len(widths):
                widths.append(minimum)
            widths[index] = max(widths[index], len(cell) + _PADDING)
    padded = ("".join([*(c.ljust(w) for c, w in zip(cells[:-1], widths, strict=False)), cells[-1]]) for cells in lines)
    return "".join(line + "\n" for line in padded)


def _unescape(form: str) -> str:
    return form.replace(r"\t", "\t").replace(r"\n", "\n")


def shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def short_id(identity: str) -> str:
    return identity.removeprefix("sha256:")[:12]


def labels_text(labels: Mapping[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))
