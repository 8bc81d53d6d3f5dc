"""A process that outlives a killed test run by a moment and cleans up after it.

It holds the reading end of a pipe whose writing end only the test run has. However that run ends, the kernel closes its
end; then the guardian purges the installation below its directory and exits.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.cleanup import purge
from tests.support.installation import layout_below


class Guardian:
    """Watches over one directory until :meth:`dismiss`, or until this process is gone."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(root)],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C at the terminal is for the test run
        )

    def dismiss(self) -> None:
        """Let it do its work now and wait until it is done."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main(root: Path) -> None:
    sys.stdin.buffer.read()
    purge(layout_below(root))
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
