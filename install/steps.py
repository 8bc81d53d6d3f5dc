"""Steps of a set-up as a person sees them: a title, what is going on, and how it ended.

On a terminal the line of a running step shows the last line its program printed; elsewhere each step prints once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

KEPT_LINES = 40
TITLE_WIDTH = 24


class Failure(Exception):
    """Set-up cannot go on; ``hint`` says what a person can do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Step:
    """One running step; made by :func:`step`."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.outcome = ""
        self._started = time.monotonic()
        self._live = sys.stdout.isatty()
        self._show("…", "")

    def note(self, text: str) -> None:
        """Say what the step is doing right now."""
        if self._live:
            self._show("…", text)

    def done(self, outcome: str) -> None:
        """What to print in place of the time it took, for example ``up to date``."""
        self.outcome = outcome

    def run(
        self, argv: Sequence[str | Path], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        """Run a program, showing its last line; raise :class:`Failure` with the end of its output when it fails."""
        lines: deque[str] = deque(maxlen=KEPT_LINES)
        with subprocess.Popen(
            [os.fspath(word) for word in argv],
            cwd=cwd,
            env=None if environment is None else {**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.rstrip())
                self.note(lines[-1])
        if process.returncode:
            command = " ".join(map(str, argv))
            raise Failure(f"{command} failed with status {process.returncode}:\n" + "\n".join(lines))

    def finish(self, mark: str) -> None:
        seconds = time.monotonic() - self._started
        self._show(mark, self.outcome or f"{seconds:.1f} s")
        print(flush=True)

    def _show(self, mark: str, text: str) -> None:
        if not self._live and mark == "…":
            return
        line = f"{mark} {self.title:{TITLE_WIDTH}} {text}"
        if self._live:
            columns = shutil.get_terminal_size().columns
            print(f"\r\033[K{line[: columns - 1]}", end="", flush=True)
        else:
            print(line, end="")


@contextlib.contextmanager
def step(title: str) -> Iterator[Step]:
    """Show a step from its beginning to its end; an exception marks it as failed and goes on."""
    running = Step(title)
    try:
        yield running
    except BaseException:
        running.outcome = "failed"
        running.finish("✘")
        raise
    running.finish("✔")


def capture(argv: Sequence[str | Path], environment: dict[str, str] | None = None) -> str:
    """Standard output of a program that is expected to work; raise :class:`Failure` with its stderr otherwise.

    ``environment`` replaces the caller's: values in it may be secrets, which a command line shows to everybody.
    """
    words = [os.fspath(word) for word in argv]
    result = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise Failure(f"{' '.join(map(str, argv))} failed: {result.stderr.strip()}")
    return result.stdout
