"""``bench``: install what the measurements need and run them."""

from __future__ import annotations

import subprocess

from install import accounts, environment, packages, page, preflight
from install.alone import alone
from install.environment import PYTHON
from install.settings import CHECKOUT, Settings


def bench(words: list[str]) -> int:
    preflight.check(Settings.from_environment())
    with alone():
        packages.ensure(packages.BENCH)
        environment.ensure(tests=True)
        page.ensure()
        accounts.ensure()
    return subprocess.run([PYTHON, "-m", "tests.bench", *words], cwd=CHECKOUT, check=False).returncode
