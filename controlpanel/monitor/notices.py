"""Notices that change no container's state: exec sessions, detached clients, kills for want of memory."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings

from controlpanel.objects import events
from controlpanel.objects.models import Container, Exec
from controlpanel.operations.notices import EXITED, LOOK, OOM, STARTED
from engine.containers import runtime

# What makes the monitor look at a container; a start alone does not, see ``concerns_end``.
ENDS = frozenset({EXITED, LOOK})

logger = logging.getLogger(__name__)


def concerns_end(notice: dict[str, Any]) -> bool:
    """Whether the container may have ended. When its shim told of a short command's end, its row said starting."""
    if notice.get("notice") == STARTED:
        return runtime.exit_of(settings.MUELLE_LAYOUT, str(notice["container"])) is not None
    return notice.get("notice") in ENDS


def record(notice: dict[str, Any]) -> None:
    """Write a notice into the database and tell the event stream."""
    container = Container.objects.filter(pk=str(notice["container"])).first()
    if container is None:
        return
    kind, session = notice.get("notice"), notice.get("exec")
    if kind == "exec_died":
        code = int(notice.get("exit_code") or 0)
        Exec.objects.filter(pk=session, container=container).update(running=False, exit_code=code, pid=0)
        happened = events.of_container(container, "exec_die", execID=session, exitCode=code)
    elif kind == OOM:
        happened = events.of_container(container, "oom")
    elif kind == "detached" and session:
        happened = events.of_container(container, "exec_detach", execID=session)
    elif kind == "detached":
        happened = events.of_container(container, "detach")
    else:
        logger.warning("an unknown notice: %s", kind)
        return
    events.publish_all([happened])
