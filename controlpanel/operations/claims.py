"""Who works on a container in a transient state: whoever finds it dead repairs the row and answers its caller."""

from __future__ import annotations

import logging
import os
import threading
import time
from functools import cache

from django.db import Error, close_old_connections, connection

from controlpanel.objects import states
from controlpanel.objects.claims import Claim
from controlpanel.objects.models import Container
from controlpanel.operations import notices
from controlpanel.rpc import worker
from engine.kernel.processes import start_time

RETRY_SECONDS = 1.0

logger = logging.getLogger(__name__)


def mine(call_id: str | None = None) -> str:
    """This process's claim, for the call that it works on; ``call_id`` names one that somebody else left."""
    return str(Claim(os.getpid(), _started(os.getpid()), worker.call_id() if call_id is None else call_id))


def is_alive(text: str) -> bool:
    """Whether the process that a row's claim names still runs."""
    claim = Claim.parse(text)
    return claim is not None and str(start_time(claim.pid)) == claim.start_time


def give_up(container: Container) -> None:
    """Withdraw a claim whose holder could not bring its work to an end: the monitor will.

    The reason is the database, so this goes on in a thread until it answers. A dead process's claim is void anyhow.
    """
    arguments = (container.pk, container.claim)
    threading.Thread(target=_give_up, args=arguments, name="give-up", daemon=True).start()


def _give_up(container_id: str, claim: str) -> None:
    while not _disowned(container_id, claim):
        time.sleep(RETRY_SECONDS)
    connection.close()
    notices.nudge(container_id)


def _disowned(container_id: str, claim: str) -> bool:
    close_old_connections()
    try:
        Container.objects.filter(pk=container_id, claim=claim, status__in=states.TRANSIENT).update(claim="")
    except Error as error:
        logger.warning("nobody works on container %s, which cannot be written down yet: %s", container_id, error)
        return False
    return True


@cache  # keyed by PID: a forked child asks anew
def _started(pid: int) -> str:
    return str(start_time(pid))
