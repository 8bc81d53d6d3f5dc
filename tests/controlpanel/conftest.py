"""The test database of this room: a file, because several threads use it at once, as several processes do in life."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest
from django.db import connections


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> Iterator[None]:
    """Shared memory, Django's default for SQLite, knows no waiting for a lock."""
    with tempfile.TemporaryDirectory(prefix="muelle-t-") as directory:
        connections["default"].settings_dict["TEST"]["NAME"] = f"{directory}/test.sqlite3"
        yield
