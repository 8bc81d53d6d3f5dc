"""The system user and group ``muelle``: the web process runs as them, and members of the group may use the socket."""

from __future__ import annotations

import grp
import pwd

from install.settings import USER
from install.steps import step

SHELL = "/usr/sbin/nologin"


def ensure() -> None:
    with step("User and group") as running:
        if _exists():
            running.done("up to date")
            return
        if not _group_exists():
            running.run(["groupadd", "--system", USER])
        running.run(
            [
                "useradd",
                "--system",
                "--gid",
                USER,
                "--no-create-home",
                "--home-dir",
                "/nonexistent",
                "--shell",
                SHELL,
                USER,
            ]
        )


def _exists() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return _group_exists()


def _group_exists() -> bool:
    try:
        grp.getgrnam(USER)
    except KeyError:
        return False
    return True
