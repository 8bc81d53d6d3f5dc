"""Registers a function as a Celery task whose outcome is an answer, and lets it answer later."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

from celery import current_task
from celery.exceptions import Ignore
from django.db import close_old_connections

from controlpanel.objects import outage
from controlpanel.rpc import outcomes, routes
from controlpanel.rpc.app import app
from engine.errors import MuelleError, Unavailable

logger = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])


class Later:
    """What an operation returns when somebody else will answer its call (``objects.models.Waiter``)."""


LATER: Final = Later()


def operation(name: str) -> Callable[[Function], Function]:
    """Register ``function(**json) -> json`` as the task ``name``; the function itself stays callable as it was."""

    def register(function: Function) -> Function:
        def run(**arguments: Any) -> outcomes.Answer:
            return perform(name, function, arguments)

        run.__name__ = run.__qualname__ = name.replace(".", "_")
        app.task(name=name, queue=routes.kind(name))(run)
        return function

    return register


def perform(name: str, function: Callable[..., Any], arguments: dict[str, Any]) -> outcomes.Answer:
    """Run an operation and turn whatever happens into an answer. Raises Ignore when the answer comes later."""
    close_old_connections()
    try:
        value = function(**arguments)
    except MuelleError as error:
        return outcomes.of_error(error)
    except outage.ERRORS as error:
        logger.exception("%s: %s", name, outage.MESSAGE)
        return outcomes.of_error(Unavailable(f"{outage.MESSAGE}: {error}"))
    except BrokenPipeError:
        return outcomes.of_error(Unavailable("the client went away"))
    except Exception as error:
        logger.exception("%s failed: %s", name, arguments.get("id", ""))
        return outcomes.of_error(error)
    if value is LATER:
        raise Ignore
    return outcomes.of_value(value)


def call_id() -> str:
    """The running call's id, empty outside a task; give it to a Waiter before returning LATER."""
    request = current_task.request if current_task else None
    return str(request.id) if request is not None and request.id else ""
