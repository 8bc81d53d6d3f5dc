"""``muelle update``: limits and restart policy of containers that exist."""

from __future__ import annotations

import sys
from typing import Any

import click

from frontend.cli.client import Client, segment
from frontend.cli.errors import CliError
from frontend.cli.flags.container import resources, restart_policy

from ._common import pass_client, succeed

_SIZES = ("memory", "memory-reservation", "memory-swap", "cpus", "cpuset-cpus", "cpuset-mems", "restart")
_NUMBERS = ("blkio-weight", "cpu-period", "cpu-quota", "cpu-shares", "pids-limit")
_SHORT = {"memory": "-m", "cpu-shares": "-c"}


def _options(function: Any) -> Any:
    for name in (*_SIZES, *_NUMBERS):
        settings: dict[str, Any] = {"type": int, "default": 0} if name in _NUMBERS else {}
        flags = [f"--{name}", *([_SHORT[name]] if name in _SHORT else [])]
        function = click.option(*flags, **settings)(function)
    return function


@click.command()
@_options
@click.argument("containers", nargs=-1, required=True, metavar="CONTAINER [CONTAINER...]")
@pass_client
def update(client: Client, /, containers: tuple[str, ...], **flags: Any) -> None:
    """Update configuration of one or more containers."""
    if not any(flags.values()):
        raise CliError("you must provide one or more flags when using this command")
    body = resources(flags)
    for name in ("CgroupParent", "MemorySwappiness", "OomKillDisable"):
        del body[name]
    if not body["PidsLimit"]:
        del body["PidsLimit"]
    if flags["restart"]:
        body["RestartPolicy"] = restart_policy(flags["restart"])

    def change(name: str) -> None:
        for warning in client.json("POST", f"/containers/{segment(name)}/update", None, body)["Warnings"] or ():
            sys.stderr.write(f"{warning}\n")

    succeed(containers, change)
