"""What all look-ups by ID prefix share."""

from __future__ import annotations

import re

HEXADECIMAL = re.compile(r"[0-9a-f]{1,64}")
NUL = "\0"  # in no name and no ID; PostgreSQL refuses to be asked for a text that holds it


def is_id_prefix(text: str) -> bool:
    """Only lower-case hexadecimal digits can begin an ID; anything else needs no query."""
    return HEXADECIMAL.fullmatch(text) is not None


def upper_bound(prefix: str) -> str:
    """The first text above every ID with this prefix: ``LIKE`` is no use to SQLite's indices, a range is."""
    return prefix + "g"
