"""The prune commands of all groups."""

from __future__ import annotations

from typing import Any

import click

from frontend.cli import units
from frontend.cli.client import Client

from ._common import confirm, force_option, parse_filters, pass_client

_filter = click.option("--filter", "filters", multiple=True, metavar="filter", help="Provide filter values")


@click.command("prune")
@_filter
@force_option
@pass_client
def containers(client: Client, filters: tuple[str, ...], force: bool) -> None:
    """Remove all stopped containers."""
    confirm("WARNING! This will remove all stopped containers.", force)
    report(prune_containers(client, filters))


@click.command("prune")
@click.option("-a", "--all", "unused", is_flag=True, help="Remove all unused images, not just dangling ones")
@_filter
@force_option
@pass_client
def images(client: Client, filters: tuple[str, ...], unused: bool, force: bool) -> None:
    """Remove unused images."""
    what = "all images without at least one container associated to them" if unused else "all dangling images"
    confirm(f"WARNING! This will remove {what}.", force)
    report(prune_images(client, filters, unused))


@click.command("prune")
@click.option("-a", "--all", "every", is_flag=True, help="Remove all unused volumes, not just anonymous ones")
@_filter
@force_option
@pass_client
def volumes(client: Client, filters: tuple[str, ...], every: bool, force: bool) -> None:
    """Remove unused local volumes."""
    what = "all local volumes" if every else "anonymous local volumes"
    confirm(f"WARNING! This will remove {what} not used by at least one container.", force)
    report(prune_volumes(client, (*filters, "all=true") if every else filters))


@click.command("prune")
@_filter
@force_option
@pass_client
def networks(client: Client, filters: tuple[str, ...], force: bool) -> None:
    """Remove all unused networks."""
    confirm("WARNING! This will remove all custom networks not used by at least one container.", force)
    lines, _ = prune_networks(client, filters)
    click.echo("\n".join(lines))


@click.command("prune")
@click.option("-a", "--all", "unused", is_flag=True, help="Remove all unused images not just dangling ones")
@click.option("--volumes", "with_volumes", is_flag=True, help="Prune anonymous volumes")
@_filter
@force_option
@pass_client
def system(client: Client, filters: tuple[str, ...], unused: bool, with_volumes: bool, force: bool) -> None:
    """Remove unused data."""
    wanted = ["all stopped containers", "all networks not used by at least one container"]
    wanted += ["all anonymous volumes not used by at least one container"] if with_volumes else []
    wanted.append("all images without at least one container associated to them" if unused else "all dangling images")
    confirm("WARNING! This will remove:\n" + "".join(f"  - {what}\n" for what in wanted), force)
    parts = [prune_containers(client, filters), prune_networks(client, filters)]
    parts += [prune_volumes(client, filters)] if with_volumes else []
    parts.append(prune_images(client, filters, unused))
    report(([line for lines, _ in parts for line in lines], sum(size for _, size in parts)))


Pruned = tuple[list[str], int]


def prune_containers(client: Client, filters: tuple[str, ...]) -> Pruned:
    return _prune(client, "containers", "ContainersDeleted", "Deleted Containers:", filters)


def prune_networks(client: Client, filters: tuple[str, ...]) -> Pruned:
    return _prune(client, "networks", "NetworksDeleted", "Deleted Networks:", filters)


def prune_volumes(client: Client, filters: tuple[str, ...]) -> Pruned:
    return _prune(client, "volumes", "VolumesDeleted", "Deleted Volumes:", filters)


def prune_images(client: Client, filters: tuple[str, ...], unused: bool) -> Pruned:
    dangling = "dangling=false" if unused else "dangling=true"
    return _prune(client, "images", "ImagesDeleted", "Deleted Images:", (*filters, dangling))


def _prune(client: Client, kind: str, field: str, heading: str, filters: tuple[str, ...]) -> Pruned:
    """The lines to print, and how many bytes are free now."""
    answer = client.json("POST", f"/{kind}/prune", {"filters": parse_filters(filters)})
    lines = [_line(each) for each in answer.get(field) or ()]
    return ([heading, *lines, ""] if lines else []), answer.get("SpaceReclaimed") or 0


def _line(entry: Any) -> str:
    return entry if isinstance(entry, str) else ", ".join(f"{k.lower()}: {v}" for k, v in entry.items())


def report(pruned: Pruned) -> None:
    lines, size = pruned
    for line in lines:
        click.echo(line)
    click.echo(f"Total reclaimed space: {units.decimal_size(size, 4)}")
