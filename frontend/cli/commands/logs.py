"""``muelle logs``."""

from __future__ import annotations

import click

from frontend.cli import units
from frontend.cli.client import Client, segment
from frontend.cli.session import copy_frames, copy_raw

from ._common import pass_client


@click.command()
@click.option("--details", is_flag=True, help="Show extra details provided to logs")
@click.option("-f", "--follow", is_flag=True, help="Follow log output")
@click.option("--since", help='Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m")')
@click.option("-n", "--tail", default="all", show_default=True, help="Number of lines to show from the end of the logs")
@click.option("-t", "--timestamps", is_flag=True, help="Show timestamps")
@click.option("--until", help='Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m")')
@click.argument("container")
@pass_client
def logs(
    client: Client,
    container: str,
    details: bool,
    follow: bool,
    since: str | None,
    tail: str,
    timestamps: bool,
    until: str | None,
) -> None:
    """Fetch the logs of a container."""
    found = client.json("GET", f"/containers/{segment(container)}/json")
    query = {
        "stdout": True,
        "stderr": True,
        "follow": follow or None,
        "details": details or None,
        "since": units.timestamp(since),
        "until": units.timestamp(until),
        "tail": tail,
        "timestamps": timestamps or None,
    }
    with client.open("GET", f"/containers/{found['Id']}/logs", query) as response:
        copy = copy_raw if found["Config"]["Tty"] else copy_frames
        copy(response.read1)
