"""``muelle volume``."""

from __future__ import annotations

from typing import Any

import click

from frontend.cli import units
from frontend.cli.client import Client, segment
from frontend.cli.flags.container import pairs
from frontend.cli.main import LazyGroup, Place
from frontend.cli.output import Listing, Row, labels_text

from ._common import filter_option, format_option, parse_filters, pass_client, succeed
from .inspect import show

LISTING = Listing(
    ("Driver", "Name"),
    {
        "Driver": "DRIVER",
        "Name": "VOLUME NAME",
        "Scope": "SCOPE",
        "Mountpoint": "MOUNTPOINT",
        "Labels": "LABELS",
        "Links": "LINKS",
        "Size": "SIZE",
    },
)

volume = LazyGroup(
    {
        "ls": Place("volumes", "ls", "List volumes"),
        "list": Place("volumes", "ls", "List volumes"),
        "create": Place("volumes", "create", "Create a volume"),
        "rm": Place("volumes", "rm", "Remove one or more volumes"),
        "inspect": Place("volumes", "inspect", "Display detailed information on one or more volumes"),
        "prune": Place("prune", "volumes", "Remove unused local volumes"),
    },
    name="volume",
    help="Manage volumes",
)


@click.command()
@filter_option
@format_option
@click.option("-q", "--quiet", is_flag=True, help="Only display volume names")
@pass_client
def ls(client: Client, filters: tuple[str, ...], form: str | None, quiet: bool) -> None:
    """List volumes."""
    found = client.json("GET", "/volumes", {"filters": parse_filters(filters)})["Volumes"] or []
    rows = [volume_row(one) for one in sorted(found, key=lambda one: one["Name"])]
    if quiet and not form:
        for row in rows:
            click.echo(row["Name"])
        return
    LISTING.show(rows, form)


def volume_row(found: dict[str, Any]) -> Row:
    labels, usage = found.get("Labels") or {}, found.get("UsageData") or {}
    return {
        "Name": found["Name"],
        "Driver": found["Driver"],
        "Scope": found["Scope"],
        "Mountpoint": found["Mountpoint"],
        "Labels": labels_text(labels),
        "Label": lambda key: labels.get(key, ""),
        "Links": str(usage["RefCount"]) if usage else "N/A",
        "Size": units.decimal_size(usage["Size"]) if usage else "N/A",
    }


@click.command()
@click.option("-d", "--driver", default="local", show_default=True, help="Specify volume driver name")
@click.option("--label", multiple=True, help="Set metadata for a volume")
@click.option("-o", "--opt", multiple=True, help="Set driver specific options")
@click.option("--name", "old_name", hidden=True)
@click.argument("name", default="", metavar="[VOLUME]")
@pass_client
def create(
    client: Client, name: str, driver: str, label: tuple[str, ...], opt: tuple[str, ...], old_name: str | None
) -> None:
    """Create a volume."""
    body = {"Name": name or old_name or "", "Driver": driver, "DriverOpts": pairs(opt), "Labels": pairs(label)}
    click.echo(client.json("POST", "/volumes/create", None, body)["Name"])


@click.command()
@click.option("-f", "--force", is_flag=True, help="Force the removal of one or more volumes")
@click.argument("names", nargs=-1, required=True, metavar="VOLUME [VOLUME...]")
@pass_client
def rm(client: Client, names: tuple[str, ...], force: bool) -> None:
    """Remove one or more volumes."""
    succeed(names, lambda name: client.json("DELETE", f"/volumes/{segment(name)}", {"force": force or None}))


@click.command()
@click.option("-f", "--format", "form", metavar="string", help="Format output using a custom template")
@click.argument("names", nargs=-1, required=True, metavar="VOLUME [VOLUME...]")
@pass_client
def inspect(client: Client, names: tuple[str, ...], form: str | None) -> None:
    """Display detailed information on one or more volumes."""
    show(names, form, lambda name: client.json("GET", f"/volumes/{segment(name)}"))
