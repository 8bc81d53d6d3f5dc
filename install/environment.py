"""The virtual environment in the checkout, made with the system's Python and filled from the requirements files.

Debian's interpreter and not the caller's: the web process runs as the user muelle, who cannot read an interpreter that
lives in somebody's home directory.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from install import stamps
from install.settings import CHECKOUT, VENV
from install.steps import Failure, Step, step

SYSTEM_PYTHON = Path("/usr/bin/python3")
PYTHON = VENV / "bin" / "python"
RUN_REQUIREMENTS = CHECKOUT / "requirements.txt"
TEST_REQUIREMENTS = CHECKOUT / "requirements-dev.txt"
POSTGRESQL_REQUIREMENTS = CHECKOUT / "requirements-postgresql.txt"


def ensure(*, tests: bool = False) -> None:
    """Make the environment where it is missing and install packages when the requirements changed."""
    with step("Python packages") as running:
        wanted = requirements(tests=tests)
        pending = [path for path in wanted if not stamps.unchanged(_stamp(path), _value(path))]
        if not usable():
            _create(running)
            pending = wanted
        if not pending:
            running.done("up to date")
            return
        running.run([PYTHON, "-m", "pip", "install", *_requirement_words(pending)])
        for path in pending:
            stamps.record(_stamp(path), _value(path))


def requirements(*, tests: bool) -> list[Path]:
    """The requirements files that this use and these settings call for."""
    wanted = [RUN_REQUIREMENTS]
    if tests:
        wanted.append(TEST_REQUIREMENTS)
    if os.environ.get("MUELLE_DATABASE_URL"):
        wanted.append(POSTGRESQL_REQUIREMENTS)
    return wanted


def usable() -> bool:
    """Whether the environment is there, works after an upgrade of Python, and stands on the system's interpreter."""
    return PYTHON.exists() and PYTHON.resolve().is_relative_to("/usr/bin") and any(_site_packages())


def _site_packages() -> list[Path]:
    version = PYTHON.resolve().name  # python3.11
    return [path for path in [VENV / "lib" / version / "site-packages"] if path.is_dir()]


def _create(running: Step) -> None:
    if not SYSTEM_PYTHON.exists():
        raise Failure(f"{SYSTEM_PYTHON} is missing", "install python3")
    shutil.rmtree(VENV, ignore_errors=True)
    running.run([SYSTEM_PYTHON, "-m", "venv", VENV])


def _requirement_words(paths: list[Path]) -> list[str]:
    return [word for path in paths for word in ("-r", str(path))]


def _stamp(requirements: Path) -> Path:
    return VENV / f"{requirements.stem}.installed"


def _value(requirements: Path) -> str:
    return stamps.digest([requirements, RUN_REQUIREMENTS], str(SYSTEM_PYTHON.resolve()))
