"""What commands share: the client in the context, and how several names are worked through."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from frontend.cli.client import Client
from frontend.cli.errors import ApiError, CliError

pass_client = click.make_pass_decorator(Client)
format_option = click.option("--format", "form", metavar="string", help="Format output using a custom template")
filter_option = click.option("-f", "--filter", "filters", multiple=True, metavar="filter", help="Filter output")
force_option = click.option("-f", "--force", is_flag=True, help="Do not prompt for confirmation")


class Raw(click.Command):
    """A command whose arguments end the options: what follows the first of them belongs to the container."""

    allow_interspersed_args = False


def each(names: Iterable[str], action: Callable[[str], object], *, missing_is_fine: bool = False) -> list[str]:
    """Do one thing to every name; print the name or the result, and the error where it failed. Returns those names."""
    failed = []
    for name in names:
        try:
            result = action(name)
            click.echo(name if result is None else result)
        except ApiError as error:
            sys.stderr.write(f"{error}\n")
            if not (missing_is_fine and error.code == 404):
                failed.append(name)
    return failed


def succeed(names: Iterable[str], action: Callable[[str], object], *, missing_is_fine: bool = False) -> None:
    """As `each`; leaves with status 1 if any failed."""
    if each(names, action, missing_is_fine=missing_is_fine):
        raise click.exceptions.Exit(1)


def parse_filters(filters: Iterable[str]) -> str | None:
    """``key=value`` pairs as the API's JSON. Raises CliError."""
    import json

    found: dict[str, dict[str, bool]] = {}
    for text in filters:
        key, mark, value = text.partition("=")
        if not mark:
            raise CliError(
                f'invalid argument "{text}" for "-f, --filter" flag: bad format of filter (expected name=value)', 125
            )
        found.setdefault(key.strip().lower(), {})[value.strip()] = True
    return json.dumps(found) if found else None


def confirm(message: str, force: bool) -> None:
    """Ask before something is destroyed. Raises Abort when the answer is no."""
    if not force and not click.confirm(f"{message}\nAre you sure you want to continue?", default=False):
        raise click.exceptions.Exit(1)


def container_id(created: Any) -> str:
    return str(created["Id"])
