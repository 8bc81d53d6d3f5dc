"""Names of signals as Docker writes them: ``9``, ``KILL``, ``sigkill``, ``SIGRTMIN+3``."""

from __future__ import annotations

import signal

from engine.errors import InvalidArgument

# signal(7): the C library keeps the first two real-time signals, so RTMIN is 34 for programs.
RTMIN, RTMAX = 34, 64


def _table() -> dict[str, int]:
    names = {entry.name[3:]: int(entry) for entry in signal.Signals if not entry.name.startswith("SIGRT")}
    names |= {"CLD": int(signal.SIGCHLD), "POLL": int(signal.SIGIO), "STKFLT": 16}
    names |= {f"RTMIN+{offset}" if offset else "RTMIN": RTMIN + offset for offset in range(16)}
    names |= {f"RTMAX-{offset}" if offset else "RTMAX": RTMAX - offset for offset in range(15)}
    return names


NUMBERS = _table()


def number(text: str) -> int:
    """The signal's number; InvalidArgument with Docker's text for anything that is none."""
    if text.isascii() and text.isdigit() and len(text) < 4:
        if 1 <= int(text) <= RTMAX:
            return int(text)
    elif text.upper().removeprefix("SIG") in NUMBERS:
        return NUMBERS[text.upper().removeprefix("SIG")]
    raise InvalidArgument(f"invalid signal: {text}")
