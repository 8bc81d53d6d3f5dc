"""``muelle events``."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

import click

from frontend.cli import units
from frontend.cli.client import Client
from frontend.cli.template import Template

from ._common import filter_option, format_option, parse_filters, pass_client


@click.command()
@filter_option
@format_option
@click.option("--since", help="Show all events created since timestamp")
@click.option("--until", help="Stream events until this timestamp")
@pass_client
def events(client: Client, filters: tuple[str, ...], form: str | None, since: str | None, until: str | None) -> None:
    """Get real time events from the server."""
    query = {"since": units.timestamp(since), "until": units.timestamp(until), "filters": parse_filters(filters)}
    template = Template(form) if form and form != "json" else None
    for event in client.stream("GET", "/events", query):
        if template:
            line = template.render(event)
        elif form == "json":
            line = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
        else:
            line = _line(event)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _line(event: dict[str, Any]) -> str:
    """``2026-01-02T03:04:05.000000006Z container start <id> (image=busybox, name=x)``."""
    seconds, fraction = divmod(event["timeNano"], 10**9)
    moment = datetime.fromtimestamp(seconds, UTC).astimezone()
    zone = moment.strftime("%z")
    zone = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}"
    actor = event["Actor"]
    attributes = ", ".join(f"{key}={value}" for key, value in sorted((actor.get("Attributes") or {}).items()))
    text = (
        f"{moment.strftime('%Y-%m-%dT%H:%M:%S')}.{fraction:09d}{zone} {event['Type']} {event['Action']} {actor['ID']}"
    )
    return f"{text} ({attributes})" if attributes else text
