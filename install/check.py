"""``check``: the gate. Every rule that a machine can hold, before anybody reads a change."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from install import environment, packages, page, sizes
from install.alone import alone
from install.environment import PYTHON
from install.settings import CHECKOUT, VENV
from install.steps import Failure, Step, step

SHELL_FILES = ("muelle", ".ci/run")
# Parts of words that tests look for.
SPELLING_IGNORED = "caf,ontainer"
SPELLING_SKIP = "./.git,./.venv,./.cache,*/node_modules,*/dist,*.svg,package-lock.json,*.pyc,.*_cache"


class Rule(NamedTuple):
    title: str
    argv: list[str]
    directory: Path = CHECKOUT


def check() -> int:
    """Install the tools, then run every rule."""
    with alone():
        packages.ensure(packages.for_tests())
        environment.ensure(tests=True)
    return run()


def run() -> int:
    """Run every rule, also after one failed; 0 when all hold."""
    with alone():
        path = page.ensure_packages()
    with tempfile.TemporaryDirectory(prefix="muelle-check-") as scratch:
        failed = [rule.title for rule in rules() if not _holds(rule, path, Path(scratch))]
    failed += [] if _sizes_hold() else ["Sizes"]
    if failed:
        print(f"\ngate: {', '.join(failed)} failed")
    return 1 if failed else 0


def rules() -> list[Rule]:
    tools = VENV / "bin"
    return [
        Rule("Format", [f"{tools}/ruff", "format", "--check", "."]),
        Rule("Lint", [f"{tools}/ruff", "check", "."]),
        Rule("Types", [f"{tools}/mypy"]),
        Rule("Import laws", [f"{tools}/lint-imports"]),
        Rule("Migrations", [str(PYTHON), "manage.py", "makemigrations", "--check", "--dry-run"]),
        Rule("Spelling", [f"{tools}/codespell", "--skip", SPELLING_SKIP, "--ignore-words-list", SPELLING_IGNORED]),
        Rule("Shell", ["shellcheck", *SHELL_FILES]),
        Rule("Page: types and lint", ["npm", "run", "check"], page.PAGE),
        Rule("Page: unit tests", ["npm", "test"], page.PAGE),
    ]


def _holds(rule: Rule, path: str, scratch: Path) -> bool:
    # A home of its own, so that a check of the models reads nobody's database.
    extra = {"PATH": path, "MUELLE_HOME": str(scratch), "MUELLE_RUN": str(scratch)}
    result: subprocess.CompletedProcess[str]
    try:
        with step(rule.title):
            result = subprocess.run(
                rule.argv,
                cwd=rule.directory,
                env={**os.environ, **extra},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if result.returncode:
                raise Failure(rule.title)
    except Failure:
        print(result.stdout + result.stderr)
        return False
    return True


def _sizes_hold() -> bool:
    running: Step
    try:
        with step("Sizes") as running:
            found = sizes.violations()
            if found:
                raise Failure("sizes")
            running.done("functions and modules within their limits")
    except Failure:
        print("\n".join(found))
        return False
    return True
