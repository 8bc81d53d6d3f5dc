"""From errors to Docker's answer: ``{"message": "…"}`` and a newline, with the error's status."""

from __future__ import annotations

import logging
from typing import Any

import orjson
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpResponse
from rest_framework.exceptions import APIException, MethodNotAllowed

from controlpanel.objects import outage
from engine.errors import MuelleError, Unauthorized, Unavailable

logger = logging.getLogger(__name__)

PAGE_NOT_FOUND = "page not found"


def respond(status: int, message: str) -> HttpResponse:
    """Docker's error answer; clients compare the content type with ``application/json`` exactly."""
    body = orjson.dumps({"message": message}) + b"\n"
    return HttpResponse(body, status=status, content_type="application/json")


def to_response(error: Exception) -> HttpResponse:
    """Map any error. One that is not ours is a defect: logged with its trace, answered without its text."""
    match error:
        case MuelleError():
            response = respond(error.status, error.message)
        case _ if isinstance(error, outage.ERRORS):
            logger.error("%s: %s", outage.MESSAGE, error)
            response = respond(Unavailable.status, outage.MESSAGE)
        case Http404() | MethodNotAllowed():
            # Docker routes by method and path together, so a wrong method is an unknown page.
            response = respond(404, PAGE_NOT_FOUND)
        case PermissionDenied():
            response = respond(403, str(error) or "forbidden")
        case BadRequest():
            response = respond(400, str(error))
        case APIException():
            response = respond(error.status_code, str(error.detail))
        case _:
            logger.error("unexpected error", exc_info=error)
            response = respond(500, "internal error: see the web process's log")
    if isinstance(error, Unauthorized):
        response["WWW-Authenticate"] = 'Bearer realm="muelle"'
    return response


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """REST framework's EXCEPTION_HANDLER."""
    return to_response(error)
