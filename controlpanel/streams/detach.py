"""Detach keys as users write them: ``ctrl-p,ctrl-q`` or single characters, separated by commas."""

from __future__ import annotations

from engine.containers.frames import DEFAULT_DETACH_KEYS

CONTROL = {f"ctrl-{chr(code + 64).lower()}": code for code in range(32)}
DELETE = 127


def parse(text: str | None) -> bytes:
    """The bytes of a sequence; empty means Docker's default. Raises ValueError, whose text depends on the caller."""
    if not text:
        return DEFAULT_DETACH_KEYS
    return bytes(_code(key) for key in text.split(","))


def _code(key: str) -> int:
    if len(key) == 1 and key.isascii():
        return ord(key)
    if key == "DEL":
        return DELETE
    if key not in CONTROL:
        raise ValueError(f"Unknown character: '{key}'")
    return CONTROL[key]
