"""Typed readers of MUELLE_* variables: a value that cannot be used stops the process and names its variable."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def text(name: str, default: str) -> str:
    """The variable's value; empty counts as not set."""
    return os.environ.get(name) or default


def flag(name: str, default: bool) -> bool:
    value = os.environ.get(name, "").strip().lower()
    if not value:
        return default
    if value not in BOOLEANS:
        raise ImproperlyConfigured(f"{name}={value!r}: want one of {', '.join(BOOLEANS)}")
    return BOOLEANS[value]


def number(name: str, default: int) -> int:
    """A whole number above zero."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    if not value.isdecimal() or int(value) < 1:
        raise ImproperlyConfigured(f"{name}={value!r}: want a number above 0")
    return int(value)


def words(name: str, default: list[str]) -> list[str]:
    """A comma-separated list."""
    value = os.environ.get(name, "")
    return [word.strip() for word in value.split(",") if word.strip()] or default


def database(name: str, sqlite: Path) -> dict[str, Any]:
    """Django's DATABASES entry: SQLite at ``sqlite``, or the PostgreSQL URL that the variable holds."""
    url = os.environ.get(name, "")
    if not url:
        return _sqlite(sqlite)
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/") or not _has_port_or_none(parts):
        raise ImproperlyConfigured(f"{name}: want postgresql://user:password@host:port/database")
    _require_psycopg(name)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }


def _has_port_or_none(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # A transaction that reads first and writes later cannot wait for the write lock (SQLITE_BUSY at once, see
            # https://www.sqlite.org/lang_transaction.html); IMMEDIATE takes the lock at the start and waits its turn.
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            # WAL with NORMAL may lose the last transactions at a power cut, never the file; the monitor repairs rows.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
    }


def _require_psycopg(name: str) -> None:
    try:
        __import__("psycopg")
    except ImportError as error:
        raise ImproperlyConfigured(
            f"{name} names PostgreSQL: run ./muelle up with it, or pip install -r requirements-postgresql.txt"
        ) from error


def secret_key(path: Path) -> str:
    """The installation's secret, made at first use, readable by the owner of its directory alone.

    Without the directory there is no database to protect (type checker, ``manage.py check``): a throw-away key does.
    """
    if not path.parent.is_dir():
        return secrets.token_urlsafe(48)
    with contextlib.suppress(FileExistsError):
        _create_secret(path)
    return path.read_text().strip()


def _create_secret(path: Path) -> None:
    """Link a finished file into place, so that of two processes starting at once both read the same whole key."""
    if path.exists():
        return
    scratch = path.with_name(f".secret-{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, stat.S_IRUSR | stat.S_IWUSR)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            if os.geteuid() == 0:
                owner = path.parent.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        os.link(scratch, path)
    finally:
        scratch.unlink()
