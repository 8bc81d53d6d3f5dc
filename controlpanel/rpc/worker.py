"""The worker's side of a call: performs an operation, makes its outcome an answer, and lets it answer later."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from celery import current_task
from celery.exceptions import Ignore
from django.conf import settings
from django.db import close_old_connections

from controlpanel.objects import outage
from controlpanel.rpc import envelope, outcomes
from controlpanel.rpc.app import app
from controlpanel.rpc.envelope import Envelope
from engine.errors import Conflict, MuelleError, Unavailable

logger = logging.getLogger(__name__)


class Later:
    """What an operation returns when somebody else will answer its call (``objects.models.Waiter``)."""


LATER: Final = Later()


def register(name: str, function: Callable[..., Any]) -> None:
    """Make ``function(**json) -> json`` the Celery task ``name``."""

    def run(envelope: list[Any], arguments: dict[str, Any]) -> outcomes.Answer:
        return perform(name, function, Envelope(*envelope), arguments)

    run.__name__ = run.__qualname__ = name.replace(".", "_")
    app.task(name=name)(run)


def perform(name: str, function: Callable[..., Any], asked: Envelope, arguments: dict[str, Any]) -> outcomes.Answer:
    """Run an operation and turn whatever happens into an answer. Raises Ignore when the answer comes later."""
    close_old_connections()
    token = envelope.CURRENT.set(asked)
    try:
        _require_node(asked)
        value = function(**arguments)
    except MuelleError as error:
        return outcomes.of_error(error)
    except outage.ERRORS as error:
        logger.exception("%s for %s: %s", name, asked.actor, outage.MESSAGE)
        return outcomes.of_error(Unavailable(f"{outage.MESSAGE}: {error}"))
    except BrokenPipeError:
        return outcomes.of_error(Unavailable("the client went away"))
    except Exception as error:
        logger.exception("%s for %s failed", name, asked.actor)
        return outcomes.of_error(error)
    finally:
        envelope.CURRENT.reset(token)
    if value is LATER:
        raise Ignore
    return outcomes.of_value(value)


def call_id() -> str:
    """The running call's id, empty outside a task; give it to a Waiter before returning LATER."""
    request = current_task.request if current_task else None
    return str(request.id) if request is not None and request.id else ""


def _require_node(asked: Envelope) -> None:
    """Whole IDs travel, and a row of another node is another host's business, whatever led the message here."""
    if asked.node != settings.MUELLE_NODE:
        raise Conflict(f"this is node {settings.MUELLE_NODE}, not {asked.node}")
