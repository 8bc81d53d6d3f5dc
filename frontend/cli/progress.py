"""Progress of loads, pulls and pushes: one row a layer on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TextIO

from . import units
from .errors import CliError

_BAR = 50


class Rows:
    """Prints the messages of a progress stream as docker does."""

    def __init__(self, out: TextIO, *, quiet: bool = False) -> None:
        self._out, self._quiet = out, quiet
        self._moves = out.isatty()
        self._rows: list[str] = []

    def show(self, messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Print all messages; returns what is in their ``aux``. Raises CliError for an error in the stream."""
        extra = []
        for message in messages:
            if "errorDetail" in message or "error" in message:
                detail = message.get("errorDetail") or {}
                raise CliError(
                    detail.get("message") or message.get("error") or "unknown error", detail.get("code") or 1
                )
            if "aux" in message:
                extra.append(message["aux"])
            elif not self._quiet:
                self._message(message)
        self._out.flush()
        return extra

    def _message(self, message: dict[str, Any]) -> None:
        if "stream" in message:
            self._out.write(message["stream"])
            return
        row, bar = message.get("id"), bar_text(message.get("progressDetail") or {})
        text = f"{row}: " if row else ""
        text += message.get("status", "") + (f" {bar}" if bar else "")
        if not self._moves:
            if not bar:
                self._out.write(text + "\n")
        elif row and "progressDetail" in message:
            self._place(row, text)
        else:
            self._rows.clear()
            self._out.write(text + "\n")

    def _place(self, row: str, text: str) -> None:
        """Overwrite a row: up, erase, write, down again (ECMA-48 CUU, EL, CUD)."""
        if row not in self._rows:
            self._rows.append(row)
            self._out.write(text + "\n")
            return
        up = len(self._rows) - self._rows.index(row)
        self._out.write(f"\x1b[{up}A\x1b[2K\r{text}\x1b[{up}B\r")
        self._out.flush()


def bar_text(detail: dict[str, Any]) -> str:
    """``[=====>     ]  1.2MB/3MB``; only the count when the whole is not known."""
    current, total = detail.get("current", 0), detail.get("total", 0)
    if current <= 0 and total <= 0:
        return ""
    if detail.get("units"):
        return f"{current}/{total} {detail['units']}"
    if total <= 0 or current > total:
        return units.decimal_size(current)
    done = current * _BAR // total
    bar = ("=" * done + ">" * (done < _BAR)).ljust(_BAR)
    return f"[{bar}]  {units.decimal_size(current)}/{units.decimal_size(total)}"
