"""``muelle inspect`` and the inspect commands of the groups."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from frontend.cli.client import Client, segment
from frontend.cli.errors import ApiError, CliError
from frontend.cli.template import Template

from ._common import pass_client

# The order in which a name is looked for.
PLACES = {
    "container": "/containers/{}/json",
    "image": "/images/{}/json",
    "network": "/networks/{}",
    "volume": "/volumes/{}",
}
_form = click.option("-f", "--format", "form", metavar="string", help="Format output using a custom template")
_names = click.argument("names", nargs=-1, required=True, metavar="NAME|ID [NAME|ID...]")


@click.command()
@_form
@click.option("-s", "--size", is_flag=True, help="Display total file sizes if the type is container")
@click.option("--type", "kind", default="", help="Only inspect objects of the given type")
@_names
@pass_client
def inspect(client: Client, names: tuple[str, ...], form: str | None, size: bool, kind: str) -> None:
    """Return low-level information on Docker objects."""
    if kind and kind not in PLACES:
        raise CliError(f'"{kind}" is not a valid value for --type')
    kinds = [kind] if kind else list(PLACES)
    show(names, form, lambda name: _find(client, name, kinds, size))


def _find(client: Client, name: str, kinds: Iterable[str], size: bool) -> Any:
    for kind in kinds:
        query = {"size": True} if size and kind == "container" else None
        try:
            return client.json("GET", PLACES[kind].format(segment(name)), query)
        except ApiError as error:
            if error.code != 404:
                raise
    kinds = list(kinds)
    what = kinds[0] if len(kinds) == 1 else "object"
    raise CliError(f"Error: No such {what}: {name}")


def show(names: Iterable[str], form: str | None, find: Callable[[str], Any]) -> None:
    """Print what was found as one JSON list, or each by the template; then what was not, with exit status 1."""
    found, failures = [], []
    for name in names:
        try:
            found.append(find(name))
        except CliError as error:
            if not isinstance(error, ApiError) and not str(error).startswith("Error"):
                raise
            failures.append(str(error))
    if not form:
        sys.stdout.write(json.dumps(found, indent=4, ensure_ascii=False) + "\n")
    elif form == "json":
        sys.stdout.writelines(json.dumps(each, separators=(",", ":"), ensure_ascii=False) + "\n" for each in found)
    else:
        template = Template(form)
        sys.stdout.write("\n".join(template.render(each) for each in found) + "\n")
    sys.stdout.flush()
    for failure in failures:
        sys.stderr.write(failure + "\n")
    if failures:
        raise click.exceptions.Exit(1)


def inspect_command(kind: str) -> click.Command:
    """The inspect command of one group."""

    @click.command("inspect", help=f"Display detailed information on one or more {kind}s")
    @_form
    @click.option("-s", "--size", is_flag=True, hidden=kind != "container", help="Display total file sizes")
    @_names
    @pass_client
    def command(client: Client, names: tuple[str, ...], form: str | None, size: bool) -> None:
        query = {"size": True} if size and kind == "container" else None
        show(names, form, lambda name: client.json("GET", PLACES[kind].format(segment(name)), query))

    return command


container_inspect = inspect_command("container")
image_inspect = inspect_command("image")
