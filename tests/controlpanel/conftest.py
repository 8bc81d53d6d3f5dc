"""The test database of this room: a file, because several threads use it at once, as several processes do in life."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections
from django.http import QueryDict
from rest_framework.request import Request

if TYPE_CHECKING:
    from controlpanel.rest.openapi import Operation


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> Iterator[None]:
    """Shared memory, Django's default for SQLite, knows no waiting for a lock."""
    with tempfile.TemporaryDirectory(prefix="muelle-t-") as directory:
        connections["default"].settings_dict["TEST"]["NAME"] = f"{directory}/test.sqlite3"
        yield


class Declared(QueryDict):
    """A request's query that knows what its view says of it, and tells when something else is read."""

    operation: Operation

    @classmethod
    def of(cls, request: Request) -> QueryDict:
        plain = request._request.GET
        operations = getattr(request.parser_context["view"], "operations", {})
        operation = operations.get("GET" if request.method == "HEAD" else request.method)
        if operation is None:
            return plain
        query = cls(plain.urlencode())
        query.operation = operation  # type: ignore[attr-defined]
        return query

    def _check(self, name: str) -> None:
        known = {parameter.name for parameter in self.operation.query}
        assert name in known, f"{self.operation.summary}: {name} is read, and its `operations` do not name it"

    def get(self, key: str, *default: Any) -> Any:
        self._check(key)
        return super().get(key, *default)

    def getlist(self, key: str, *default: Any) -> Any:
        self._check(key)
        return super().getlist(key, *default)


@pytest.fixture(autouse=True)
def only_declared_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter that a view reads is in the API's document, or no test of the view passes."""
    monkeypatch.setattr(Request, "query_params", property(Declared.of))
