"""``test``: install what tests need, run the gate, run the tests."""

from __future__ import annotations

import subprocess

from install import accounts, check, environment, packages, page, preflight
from install.environment import PYTHON
from install.settings import CHECKOUT, Settings

# pytest-timeout ends a test that hangs; nothing ends the run but its tests.
PYTEST = (str(PYTHON), "-m", "pytest")


def test(words: list[str]) -> int:
    """Without arguments the gate and everything; with arguments pytest alone, with these."""
    prepare()
    if not words and (status := check.run()):
        return status
    return subprocess.run([*PYTEST, *words], cwd=CHECKOUT, check=False).returncode


def prepare() -> None:
    preflight.check(Settings.from_environment())
    packages.ensure(packages.for_tests())
    environment.ensure(tests=True)
    page.ensure()
    accounts.ensure()
