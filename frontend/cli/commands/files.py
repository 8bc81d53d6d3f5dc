"""What is in a container and how it is reached: diff, export and port."""

from __future__ import annotations

import sys

import click

from frontend.cli.client import Client, segment
from frontend.cli.errors import CliError

from ._common import pass_client
from .transfer import download

_KINDS = {0: "C", 1: "A", 2: "D"}


@click.command()
@click.argument("container")
@pass_client
def diff(client: Client, container: str) -> None:
    """Inspect changes to files or directories on a container's filesystem."""
    changes = client.json("GET", f"/containers/{segment(container)}/changes") or []
    sys.stdout.writelines(f"{_KINDS[change['Kind']]} {change['Path']}\n" for change in changes)


@click.command()
@click.option("-o", "--output", help="Write to a file, instead of STDOUT")
@click.argument("container")
@pass_client
def export(client: Client, container: str, output: str | None) -> None:
    """Export a container's filesystem as a tar archive."""
    if output is None and sys.stdout.isatty():
        raise CliError("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    download(client, f"/containers/{segment(container)}/export", {}, output)


@click.command()
@click.argument("container")
@click.argument("private", default="", metavar="[PRIVATE_PORT[/PROTO]]")
@pass_client
def port(client: Client, container: str, private: str) -> None:
    """List port mappings or a specific mapping for the container."""
    found = client.json("GET", f"/containers/{segment(container)}/json")["NetworkSettings"]["Ports"] or {}
    if private:
        wanted = private if "/" in private else f"{private}/tcp"
        if not found.get(wanted):
            raise CliError(f"Error: No public port '{private}' published for {container}")
        for binding in found[wanted]:
            click.echo(_address(binding))
        return
    lines = [f"{name} -> {_address(each)}" for name, bindings in found.items() for each in bindings or ()]
    for line in sorted(lines):
        click.echo(line)


def _address(binding: dict[str, str]) -> str:
    host = binding["HostIp"]
    return f"[{host}]:{binding['HostPort']}" if ":" in host else f"{host}:{binding['HostPort']}"
