"""``-e``, ``--env-file``, ``-l`` and ``--label-file``."""

from __future__ import annotations

import os
from collections.abc import Iterable

from frontend.cli.errors import CliError


def read_environment(files: Iterable[str], given: Iterable[str]) -> list[str]:
    """Lines ``NAME=value``; a name alone takes its value from our environment and is left out if not there."""
    found = []
    for line in [*_lines(files), *given]:
        name, mark, _ = line.partition("=")
        if not name:
            raise CliError(f'invalid argument "{line}" for "-e, --env" flag: invalid environment variable: {line}', 125)
        if mark:
            found.append(line)
        elif name in os.environ:
            found.append(f"{name}={os.environ[name]}")
    return found


def read_labels(files: Iterable[str], given: Iterable[str]) -> dict[str, str]:
    """``key=value``; a key alone has an empty value."""
    return {key: value for key, _, value in (line.partition("=") for line in [*_lines(files), *given])}


def _lines(files: Iterable[str]) -> list[str]:
    """Lines that are neither empty nor comments."""
    found = []
    for path in files:
        try:
            with open(path, encoding="utf-8-sig") as file:
                lines = file.read().splitlines()
        except OSError as error:
            raise CliError(f"open {path}: {(error.strerror or '').lower()}", 125) from error
        except UnicodeDecodeError as error:
            raise CliError(f"env file {path} contains invalid utf8 bytes", 125) from error
        found += [line.lstrip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return found
