"""Every error has its status, and every answer Docker's form."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated, ParseError

from controlpanel.rest.errors import exception_handler, to_response
from engine.errors import KINDS


@pytest.mark.parametrize("kind", KINDS.values())
def test_each_kind_maps_to_its_status(kind: type[Exception]) -> None:
    answer = to_response(kind("what happened"))
    assert answer.status_code == kind.status  # type: ignore[attr-defined]
    assert answer["Content-Type"] == "application/json"
    assert answer.content == b'{"message":"what happened"}\n'


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Http404(), 404),
        (MethodNotAllowed("PUT"), 404),
        (PermissionDenied(), 403),
        (BadRequest("bad"), 400),
        (ParseError(), 400),
        (NotAuthenticated(), 401),
        (RuntimeError("boom"), 500),
        (OperationalError("server closed the connection unexpectedly"), 503),
        (InterfaceError("connection already closed"), 503),
    ],
)
def test_foreign_errors_map_too(error: Exception, status: int) -> None:
    answer = exception_handler(error, {})
    assert answer.status_code == status
    assert isinstance(json.loads(answer.content)["message"], str)
