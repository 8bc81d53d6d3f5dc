"""The database: migrations when they changed, and the first administrator."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import sqlite3
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from install import stamps
from install.environment import PYTHON
from install.settings import CHECKOUT, PASSWORD, USER, Settings
from install.steps import Failure, step

if TYPE_CHECKING:
    from pathlib import Path

SEED = CHECKOUT / "install" / "seed.py"
ADMINISTRATOR = "admin"


class Administrator(NamedTuple):
    name: str
    password: str
    generated: bool


def ensure(settings: Settings) -> Administrator | None:
    """Migrate where needed; returns the administrator when one was just made."""
    layout = settings.layout
    value = stamps.digest((CHECKOUT / "controlpanel").glob("*/migrations/*.py"), settings.database_url)
    stamp = layout.home / "database.migrated"
    with step("Database") as running:
        # A database elsewhere may be another one today: emptied, restored, moved. Its own record of migrations decides.
        if not settings.database_url and stamps.unchanged(stamp, value) and layout.database.exists():
            running.done("up to date")
            return None
        if not settings.database_url:
            _create_file(layout.database)
        administrator = _seed(settings)
        stamps.record(stamp, value)
        return administrator


def _create_file(path: Path) -> None:
    """The web process writes as muelle, the workers as root; SQLite gives its side files the main file's owner."""
    with sqlite3.connect(path):
        os.chown(path, pwd.getpwnam(USER).pw_uid, pwd.getpwnam(USER).pw_gid)
        path.chmod(0o660)


def _seed(settings: Settings) -> Administrator | None:
    given = os.environ.get(PASSWORD, "")
    password = given or secrets.token_urlsafe(12)
    result = subprocess.run(
        [PYTHON, SEED, ADMINISTRATOR],
        cwd=CHECKOUT,
        env={**settings.environment(), "PYTHONPATH": str(CHECKOUT), PASSWORD: password},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise Failure(f"preparing the database failed:\n{result.stdout}{result.stderr}")
    created = json.loads(result.stdout.splitlines()[-1])["created"]
    return Administrator(ADMINISTRATOR, password, generated=not given) if created else None
