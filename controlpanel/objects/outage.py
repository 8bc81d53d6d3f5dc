"""What tells that the database is away, whichever it is and wherever in a statement it went."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError

ERRORS = (OperationalError, InterfaceError)
MESSAGE = "the database does not answer"
