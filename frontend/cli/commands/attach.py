"""``muelle attach`` and ``muelle start``."""

from __future__ import annotations

import click

from frontend.cli import attachment, terminal
from frontend.cli.attachment import Streams
from frontend.cli.client import Client, segment
from frontend.cli.errors import CliError

from ._common import each, pass_client


@click.command()
@click.option("--detach-keys", help="Override the key sequence for detaching a container")
@click.option("--no-stdin", is_flag=True, help="Do not attach STDIN")
@click.option("--sig-proxy/--no-sig-proxy", default=True, help="Proxy all received signals to the process")
@click.argument("container")
@pass_client
def attach(client: Client, container: str, detach_keys: str | None, no_stdin: bool, sig_proxy: bool) -> None:
    """Attach local standard input, output, and error streams to a running container."""
    found = client.json("GET", f"/containers/{segment(container)}/json")
    state = found["State"]
    if not state["Running"]:
        raise CliError("You cannot attach to a stopped container, start it first")
    if state.get("Paused"):
        raise CliError("You cannot attach to a paused container, unpause it first")
    if state.get("Restarting"):
        raise CliError("You cannot attach to a restarting container, wait until it is running")
    tty, stdin = found["Config"]["Tty"], found["Config"]["OpenStdin"] and not no_stdin
    terminal.require_terminal(stdin, tty)
    if tty:
        attachment.redraw(client, found["Id"])
    streams = Streams(tty, stdin, detach_keys=detach_keys, signals=sig_proxy and not tty)
    _leave(attachment.attach(client, found["Id"], streams, None, start=False))


@click.command()
@click.option("-a", "--attach", "attached", is_flag=True, help="Attach STDOUT/STDERR and forward signals")
@click.option("--detach-keys", help="Override the key sequence for detaching a container")
@click.option("-i", "--interactive", is_flag=True, help="Attach container's STDIN")
@click.argument("containers", nargs=-1, required=True, metavar="CONTAINER [CONTAINER...]")
@pass_client
def start(
    client: Client, containers: tuple[str, ...], attached: bool, detach_keys: str | None, interactive: bool
) -> None:
    """Start one or more stopped containers."""
    if not (attached or interactive):
        failed = each(containers, lambda name: client.json("POST", f"/containers/{segment(name)}/start"))
        if failed:
            raise CliError(f"Error: failed to start containers: {', '.join(failed)}")
        return
    if len(containers) > 1:
        raise CliError("you cannot start and attach multiple containers at once")
    found = client.json("GET", f"/containers/{segment(containers[0])}/json")
    config = found["Config"]
    condition = "removed" if found["HostConfig"]["AutoRemove"] else "next-exit"
    streams = Streams(
        config["Tty"], interactive and config["OpenStdin"], detach_keys=detach_keys, signals=not config["Tty"]
    )
    _leave(attachment.attach(client, found["Id"], streams, condition, start=True))


def _leave(status: int) -> None:
    if status:
        raise click.exceptions.Exit(status)
