"""The unmodified docker command as tests call it."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

TIMEOUT = 60.0


@functools.cache
def search_path() -> str:
    """PATH with the newest docker command first: an old one of Debian's may lie before the one to test with."""
    directories = [*os.environ["PATH"].split(os.pathsep), "/usr/local/bin"]
    newest = max(directories, key=lambda directory: _version(Path(directory, "docker")))
    return os.pathsep.join([newest, *directories])


def _version(program: Path) -> tuple[int, ...]:
    if not program.exists():
        return ()
    result = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", result.stdout)
    return tuple(map(int, match.groups())) if match else ()


class Docker(NamedTuple):
    """``docker("run", "--rm", "busybox", "true")`` runs the command against one host and checks that it worked."""

    host: str
    config: Path

    @property
    def environment(self) -> dict[str, str]:
        """For tests that start the command themselves, for example on a pseudo-terminal."""
        return {
            "DOCKER_HOST": self.host,
            "DOCKER_CONFIG": str(self.config),
            "HOME": os.environ.get("HOME", "/root"),
            "PATH": search_path(),
            "TERM": "xterm",
            "LANG": "C.UTF-8",
        }

    def __call__(
        self, *words: str, stdin: str | bytes | None = None, timeout: float = TIMEOUT, check: bool = True
    ) -> str:
        """Standard output without the last line end; AssertionError with everything it printed when it fails."""
        result = self.run(*words, stdin=stdin, timeout=timeout)
        output = result.stdout.decode(errors="replace")
        if check:
            errors = result.stderr.decode(errors="replace")
            assert result.returncode == 0, f"docker {' '.join(words)}: status {result.returncode}\n{output}{errors}"
        return output.removesuffix("\n")

    def run(
        self, *words: str, stdin: str | bytes | None = None, timeout: float = TIMEOUT
    ) -> subprocess.CompletedProcess[bytes]:
        """Run it and return everything, whatever its exit status."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        return subprocess.run(
            ["docker", *words],
            env=self.environment,
            input=data if data is not None else b"",
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start it with pipes on all three streams; the caller waits for it."""
        return subprocess.Popen(
            ["docker", *words],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
