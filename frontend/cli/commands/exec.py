"""``muelle exec``: a further process in a running container."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from frontend.cli import terminal
from frontend.cli.client import Client, segment
from frontend.cli.flags.environment import read_environment
from frontend.cli.session import Session, resizing

from ._common import Raw, pass_client


@click.command(cls=Raw)
@click.option("-d", "--detach", is_flag=True, help="Detached mode: run command in the background")
@click.option("--detach-keys", help="Override the key sequence for detaching a container")
@click.option("-e", "--env", multiple=True, help="Set environment variables")
@click.option("--env-file", multiple=True, help="Read in a file of environment variables")
@click.option("-i", "--interactive", is_flag=True, help="Keep STDIN open even if not attached")
@click.option("--privileged", is_flag=True, help="Give extended privileges to the command")
@click.option("-t", "--tty", is_flag=True, help="Allocate a pseudo-TTY")
@click.option("-u", "--user", default="", help='Username or UID (format: "<name|uid>[:<group|gid>]")')
@click.option("-w", "--workdir", default="", help="Working directory inside the container")
@click.argument("container")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_client
def exec_(
    client: Client,
    container: str,
    command: tuple[str, ...],
    detach: bool,
    detach_keys: str | None,
    env: tuple[str, ...],
    env_file: tuple[str, ...],
    interactive: bool,
    privileged: bool,
    tty: bool,
    user: str,
    workdir: str,
) -> None:
    """Execute a command in a running container."""
    if not detach:
        terminal.require_terminal(interactive, tty)
    config: dict[str, Any] = {
        "Cmd": list(command),
        "Env": read_environment(env_file, env),
        "Privileged": privileged,
        "Tty": tty,
        "User": user,
        "WorkingDir": workdir,
        "AttachStdin": interactive and not detach,
        "AttachStdout": not detach,
        "AttachStderr": not detach,
        "DetachKeys": detach_keys or "",
    }
    rows, columns = terminal.size()
    if tty and rows:
        config["ConsoleSize"] = [rows, columns]
    identity = client.json("POST", f"/containers/{segment(container)}/exec", None, config)["Id"]
    if detach:
        client.json("POST", f"/exec/{identity}/start", None, {"Detach": True, "Tty": False})
        return
    _attached(client, identity, config)


def _attached(client: Client, identity: str, config: dict[str, Any]) -> None:
    start = {"Detach": False, "Tty": config["Tty"]}
    if "ConsoleSize" in config:
        start["ConsoleSize"] = config["ConsoleSize"]
    sock = client.hijack(f"/exec/{identity}/start", None, start)
    keys = terminal.parse_detach_keys(config["DetachKeys"])
    session = Session(sock, tty=config["Tty"], stdin=config["AttachStdin"], detach=keys)

    def resize(rows: int, columns: int) -> None:
        Client(client.host).json("POST", f"/exec/{identity}/resize", {"h": rows, "w": columns})

    with resizing(resize) if config["Tty"] else contextlib.nullcontext():
        session.run()
    if session.detached:
        return
    status = client.json("GET", f"/exec/{identity}/json")["ExitCode"]
    if status:
        raise click.exceptions.Exit(status)
