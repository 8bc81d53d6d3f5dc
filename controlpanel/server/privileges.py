"""Giving up root for good once the sockets are bound."""

from __future__ import annotations

import logging
import os
import pwd

from engine.kernel import libc

logger = logging.getLogger(__name__)

DEFAULT_USER = "muelle"
PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h


def drop(user: str) -> None:
    """Become ``user`` (empty: muelle, when there is such a user) and never gain privileges again.

    Raises KeyError when a user was named that does not exist: serving as root instead would hide the mistake.
    """
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1)
    if os.geteuid() != 0:
        return
    try:
        entry = pwd.getpwnam(user or DEFAULT_USER)
    except KeyError:
        if user:
            raise
        logger.warning("no user %s: the web server goes on as root", DEFAULT_USER)
        return
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    os.environ.update(HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name)
