"""The directories of an installation, and whether the user muelle can reach them."""

from __future__ import annotations

import grp
import os
import pwd
from typing import TYPE_CHECKING

from install.settings import CHECKOUT, USER, Settings
from install.steps import Failure, step

if TYPE_CHECKING:
    from pathlib import Path

# The group passes through; only root lists. The web process writes to the database and nowhere else.
PASSABLE = 0o710


def ensure(settings: Settings) -> None:
    """Create what is missing and set owners and modes; raise Failure when the web process could not work there."""
    layout = settings.layout
    with step("Directories") as running:
        group = grp.getgrnam(USER).gr_gid
        for path in (layout.home, layout.run, layout.images, layout.volumes, layout.cache, layout.home / "containers"):
            _directory(path, 0, group, PASSABLE)
        _directory(layout.shims, 0, group, PASSABLE)
        _directory(layout.services, 0, group, PASSABLE)
        _directory(layout.application, 0, group, PASSABLE)
        _directory(layout.logs, 0, group, PASSABLE)
        _directory(layout.database.parent, pwd.getpwnam(USER).pw_uid, group, 0o750)
        for path in (layout.home, layout.run):
            _check_reachable(path)
        _check_readable()
        running.done(f"{layout.home}, {layout.run}")


def _directory(path: Path, owner: int, group: int, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True, mode=0o711)
    os.chown(path, owner, group)
    path.chmod(mode)


def _check_reachable(path: Path) -> None:
    """Every directory above must let the user muelle pass; a home directory often does not."""
    for parent in path.parents:
        if not parent.stat().st_mode & 0o001:
            raise Failure(
                f"the user {USER} cannot reach {path}, because {parent} is closed to others",
                f"choose MUELLE_HOME and MUELLE_RUN elsewhere, or run: chmod o+x {parent}",
            )


def _check_readable() -> None:
    """The web process reads the checkout through a bind mount: its parents may be closed, its own files may not."""
    for path in (CHECKOUT, CHECKOUT / "controlpanel", CHECKOUT / "engine" / "layout.py"):
        if not path.stat().st_mode & 0o004:
            raise Failure(f"the user {USER} cannot read {path}", f"run: chmod -R o+rX {CHECKOUT}")
