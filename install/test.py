"""``test``: install what tests need, run the gate, run the tests."""

from __future__ import annotations

import os
import subprocess

from install import accounts, check, environment, packages, page, preflight
from install.alone import alone
from install.environment import PYTHON
from install.settings import CHECKOUT, Settings

# pytest-timeout ends a test that hangs; nothing ends the run but its tests.
PYTEST = (str(PYTHON), "-m", "pytest")


def test(words: list[str]) -> int:
    """Without arguments the gate and everything; with arguments pytest alone, with these."""
    prepare()
    if not words and (status := check.run()):
        return status
    # A whole run has the machine to itself, so everything that is new at its end was left behind by it.
    extra = {} if words else {"MUELLE_TEST_ALONE": "1"}
    return subprocess.run([*PYTEST, *words], cwd=CHECKOUT, env={**os.environ, **extra}, check=False).returncode


def prepare() -> None:
    preflight.check(Settings.from_environment())
    with alone():
        packages.ensure(packages.for_tests())
        environment.ensure(tests=True)
        page.ensure()
        accounts.ensure()
