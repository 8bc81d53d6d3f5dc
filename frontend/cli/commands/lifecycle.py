"""Commands that change what one or more containers do: stop, kill, rm and their like."""

from __future__ import annotations

import click

from frontend.cli.client import Client, segment
from frontend.cli.errors import ApiError, CliError

from ._common import pass_client, succeed

_names = click.argument("containers", nargs=-1, required=True, metavar="CONTAINER [CONTAINER...]")
_signal = click.option("-s", "--signal", help="Signal to send to the container")
_timeout = click.option("-t", "--timeout", "--time", type=int, help="Seconds to wait before killing the container")


def path(name: str, action: str) -> str:
    return f"/containers/{segment(name)}/{action}"


@click.command()
@_signal
@_timeout
@_names
@pass_client
def stop(client: Client, containers: tuple[str, ...], signal: str | None, timeout: int | None) -> None:
    """Stop one or more running containers."""
    query = {"signal": signal, "t": timeout}
    succeed(containers, lambda name: client.json("POST", path(name, "stop"), query))


@click.command()
@_signal
@_timeout
@_names
@pass_client
def restart(client: Client, containers: tuple[str, ...], signal: str | None, timeout: int | None) -> None:
    """Restart one or more containers."""
    query = {"signal": signal, "t": timeout}
    succeed(containers, lambda name: client.json("POST", path(name, "restart"), query))


@click.command()
@_signal
@_names
@pass_client
def kill(client: Client, containers: tuple[str, ...], signal: str | None) -> None:
    """Kill one or more running containers."""
    succeed(containers, lambda name: client.json("POST", path(name, "kill"), {"signal": signal}))


@click.command()
@click.option("-f", "--force", is_flag=True, help="Force the removal of a running container (uses SIGKILL)")
@click.option("-l", "--link", is_flag=True, help="Remove the specified link")
@click.option("-v", "--volumes", is_flag=True, help="Remove anonymous volumes associated with the container")
@_names
@pass_client
def rm(client: Client, containers: tuple[str, ...], force: bool, link: bool, volumes: bool) -> None:
    """Remove one or more containers."""
    query = {"force": force or None, "link": link or None, "v": volumes or None}
    succeed(
        containers, lambda name: client.json("DELETE", f"/containers/{segment(name)}", query), missing_is_fine=force
    )


@click.command()
@_names
@pass_client
def pause(client: Client, containers: tuple[str, ...]) -> None:
    """Pause all processes within one or more containers."""
    succeed(containers, lambda name: client.json("POST", path(name, "pause")))


@click.command()
@_names
@pass_client
def unpause(client: Client, containers: tuple[str, ...]) -> None:
    """Unpause all processes within one or more containers."""
    succeed(containers, lambda name: client.json("POST", path(name, "unpause")))


@click.command()
@_names
@pass_client
def wait(client: Client, containers: tuple[str, ...]) -> None:
    """Block until one or more containers stop, then print their exit codes."""
    succeed(containers, lambda name: _wait(client, name))


def _wait(client: Client, name: str) -> int:
    result = client.json("POST", path(name, "wait"))
    if result.get("Error"):
        raise CliError(result["Error"]["Message"])
    return int(result["StatusCode"])


@click.command()
@click.argument("container")
@click.argument("new_name")
@pass_client
def rename(client: Client, container: str, new_name: str) -> None:
    """Rename a container."""
    if not new_name.strip():
        raise CliError("Error: Neither old nor new names may be empty")
    try:
        client.json("POST", path(container, "rename"), {"name": new_name})
    except ApiError as error:
        raise CliError(f"{error}\nError: failed to rename container named {container}") from error
