"""The launcher's rehearsal is a real shim's life, and nothing of it stays."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.installation import CHECKOUT

REHEARSE = "rehearsal.rehearse(sys.argv[1], os.getegid())\n"
SCRIPT = """
import json, os, sys
from engine.containers.shim import rehearsal, shim

exits = []
record = shim.Shim._record
shim.Shim._record = lambda self, code: (record(self, code), exits.append(os.path.getsize(self._facts["log"]["path"])))
rehearsal.rehearse(sys.argv[1], os.getegid())
try:
    children = os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    children = None
descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
print(json.dumps({"exits": len(exits), "logged": min(exits), "children": children, "descriptors": descriptors}))
"""


def _rehearse(directory: Path, script: str = SCRIPT) -> str:
    command = [sys.executable, "-S", "-c", script, str(directory)]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.kernel
def test_a_rehearsal_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "rehearsal").mkdir()
    (tmp_path / "rehearsal/exit.json").write_text("from one that was killed")
    told = json.loads(_rehearse(tmp_path))
    assert told["exits"] == 8
    assert told["logged"] > len("a line")
    assert told["children"] is None
    # The last one is the directory that is being listed.
    assert sorted(told["descriptors"])[:-1] == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.kernel
def test_without_a_place_the_launcher_goes_on(tmp_path: Path) -> None:
    missing = tmp_path / "file"
    missing.touch()
    command = [sys.executable, "-S", "-c", SCRIPT.replace("min(exits)", "0"), str(missing)]
    subprocess.run(command, cwd=CHECKOUT, check=True, timeout=60)


@pytest.mark.kernel
@pytest.mark.parametrize("play", ["os._exit(1)", "wire.send(channel, {'failed': 0})"])
def test_a_rehearsal_that_fails_keeps_no_launcher_from_starting(tmp_path: Path, play: str) -> None:
    script = f"""
from engine.containers import wire
def play(directory, worker, channel, path):
    try:
        {play}
    finally:
        os._exit(1)
rehearsal._play = play
rehearsal.rehearse(sys.argv[1], os.getegid())
"""
    told = json.loads(_rehearse(tmp_path, SCRIPT.replace("min(exits)", "0").replace(REHEARSE, script)))
    assert (told["exits"], told["children"]) == (0, None)
    assert sorted(told["descriptors"])[:-1] == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []
