"""``muelle run`` and ``muelle create``."""

from __future__ import annotations

import sys
from typing import Any

import click

from frontend.cli import attachment, terminal
from frontend.cli.attachment import Streams
from frontend.cli.client import Client
from frontend.cli.errors import ApiError
from frontend.cli.flags import container as flag_meaning
from frontend.cli.flags.options import container_options
from frontend.cli.references import check_reference, with_tag

from ._common import Raw, pass_client

_image = click.argument("image")
_command = click.argument("command", nargs=-1, type=click.UNPROCESSED)


@click.command(cls=Raw)
@container_options
@_image
@_command
@pass_client
def create(client: Client, /, image: str, command: tuple[str, ...], **flags: Any) -> None:
    """Create a new container."""
    click.echo(_create(client, flag_meaning.body(flags, image, command), flags))


@click.command(cls=Raw)
@container_options
@click.option("-d", "--detach", is_flag=True, help="Run container in background and print container ID")
@click.option("--detach-keys", help="Override the key sequence for detaching a container")
@click.option("--sig-proxy/--no-sig-proxy", default=True, help="Proxy received signals to the process")
@_image
@_command
@pass_client
def run(client: Client, /, image: str, command: tuple[str, ...], **flags: Any) -> None:
    """Create and run a new container from an image."""
    if not flags["detach"]:
        terminal.require_terminal(flags["interactive"], flags["tty"])
    body = flag_meaning.body(flags, image, command)
    identity = _create(client, body, flags)
    if flags["detach"]:
        attachment.start_container(client, identity)
        click.echo(identity)
        return
    streams = Streams(
        tty=body["Tty"],
        stdin=body["AttachStdin"],
        stdout=body["AttachStdout"],
        stderr=body["AttachStderr"],
        detach_keys=flags["detach_keys"],
        signals=flags["sig_proxy"],
    )
    condition = "removed" if flags["rm"] else "next-exit"
    status = attachment.attach(client, identity, streams, condition, start=True)
    if status:
        raise click.exceptions.Exit(status)


def _create(client: Client, body: dict[str, Any], flags: dict[str, Any]) -> str:
    """Create, pulling the image first if it is wanted or missing. Returns the ID."""
    flag_meaning.check_id_file(flags["cidfile"])
    image = body["Image"]
    if not image.startswith("sha256:"):
        check_reference(image)
    query = {"name": flags["name"], "platform": flags["platform"]}
    if flags["pull"] == "always":
        _pull(client, image, flags)
    try:
        created = client.json("POST", "/containers/create", query, body)
    except ApiError as error:
        if error.code != 404 or flags["pull"] != "missing" or "No such image" not in error.reason:
            raise
        sys.stderr.write(f"Unable to find image '{with_tag(image)}' locally\n")
        _pull(client, image, flags)
        created = client.json("POST", "/containers/create", query, body)
    for warning in created.get("Warnings") or ():
        sys.stderr.write(f"WARNING: {warning}\n")
    flag_meaning.write_id(flags["cidfile"], created["Id"])
    return str(created["Id"])


def _pull(client: Client, image: str, flags: dict[str, Any]) -> None:
    from .transfer import pull_image

    pull_image(client, image, flags["platform"], quiet=flags["quiet"], out=sys.stderr)
