"""Who works on a container in a transient state: whoever finds it dead repairs the row and answers its caller."""

from __future__ import annotations

import logging
import os
import threading
import time
from functools import cache

from django.db import Error, close_old_connections, connection

from controlpanel.objects import states
from controlpanel.objects.models import Container
from controlpanel.tasks import notices, operation
from engine.kernel.processes import start_time

RETRY_SECONDS = 1.0

logger = logging.getLogger(__name__)


def me() -> str:
    """This process and its call, ``pid:start_time:call``; the start time tells it from a later process of its PID."""
    return f"{_identity(os.getpid())}:{operation.call_id()}"


def is_alive(mover: str) -> bool:
    """Whether the process that ``mover`` names still runs."""
    pid, _, started = mover.rpartition(":")[0].partition(":")
    return pid.isdigit() and bool(started) and str(start_time(int(pid))) == started


def call_of(mover: str) -> str:
    """The call that the mover worked for; empty when it was none."""
    return mover.rpartition(":")[2]


def give_up(container: Container) -> None:
    """Say that nobody works on a container any more, which its mover could not bring to an end: the monitor will.

    The reason is the database, so this goes on in a thread until it answers. A mover that dies is given up anyhow.
    """
    arguments = (container.pk, container.mover)
    threading.Thread(target=_give_up, args=arguments, name="give-up", daemon=True).start()


def _give_up(container_id: str, mover: str) -> None:
    while not _disowned(container_id, mover):
        time.sleep(RETRY_SECONDS)
    connection.close()
    notices.nudge(container_id)


def _disowned(container_id: str, mover: str) -> bool:
    close_old_connections()
    try:
        Container.objects.filter(pk=container_id, mover=mover, status__in=states.TRANSIENT).update(mover="")
    except Error as error:
        logger.warning("nobody works on container %s, which cannot be written down yet: %s", container_id, error)
        return False
    return True


@cache  # keyed by PID: a forked child asks anew
def _identity(pid: int) -> str:
    return f"{pid}:{start_time(pid)}"
