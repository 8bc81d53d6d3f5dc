"""The form in which an operation's outcome travels: ``{"value": …}`` or ``{"error": {"kind", "message"}}``."""

from __future__ import annotations

import logging
from typing import Any

from celery.states import SUCCESS

from controlpanel.rpc.app import app
from engine.errors import MuelleError, SystemFailure, Unavailable

logger = logging.getLogger(__name__)

Answer = dict[str, Any]


def of_value(value: Any) -> Answer:
    return {"value": value}


def of_error(error: BaseException) -> Answer:
    """Wrap an error; one that is not ours has been logged by the caller and shows its text only."""
    known = error if isinstance(error, MuelleError) else SystemFailure(f"{type(error).__name__}: {error}")
    return {"error": known.to_json()}


def unwrap(answer: Any) -> Any:
    """The value, or the error raised."""
    if isinstance(answer, dict) and "value" in answer:
        return answer["value"]
    if isinstance(answer, dict) and "error" in answer:
        raise MuelleError.from_json(answer["error"])
    raise Unavailable("the worker lost this operation")


def deliver(call_id: str, answer: Answer) -> None:
    """Answer a call whose task has left without a result. The caller may be gone and the broker away; both are fine."""
    if not call_id:
        return
    try:
        app.backend.store_result(call_id, answer, SUCCESS)
    except Exception as error:  # every client library of every broker has its own tree
        logger.warning("nobody could be told the outcome of %s: %s", call_id, error)
