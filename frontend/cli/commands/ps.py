"""``muelle ps``: the list of containers."""

from __future__ import annotations

from typing import Any

import click

from frontend.cli import units
from frontend.cli.client import Client
from frontend.cli.output import Listing, Row, labels_text, short_id, shorten

from ._common import filter_option, format_option, parse_filters, pass_client

COLUMNS = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")
LISTING = Listing(
    COLUMNS,
    {
        "ID": "CONTAINER ID",
        "Image": "IMAGE",
        "Command": "COMMAND",
        "CreatedAt": "CREATED AT",
        "RunningFor": "CREATED",
        "Status": "STATUS",
        "State": "STATE",
        "Ports": "PORTS",
        "Names": "NAMES",
        "Size": "SIZE",
        "Labels": "LABELS",
        "Mounts": "MOUNTS",
        "LocalVolumes": "LOCAL VOLUMES",
        "Networks": "NETWORKS",
    },
)


@click.command()
@click.option("-a", "--all", "show_all", is_flag=True, help="Show all containers (default shows just running)")
@filter_option
@format_option
@click.option("-n", "--last", type=int, default=-1, help="Show n last created containers (includes all states)")
@click.option("-l", "--latest", is_flag=True, help="Show the latest created container (includes all states)")
@click.option("--no-trunc", is_flag=True, help="Don't truncate output")
@click.option("-q", "--quiet", is_flag=True, help="Only display container IDs")
@click.option("-s", "--size", is_flag=True, help="Display total file sizes")
@pass_client
def ps(
    client: Client,
    show_all: bool,
    filters: tuple[str, ...],
    form: str | None,
    last: int,
    latest: bool,
    no_trunc: bool,
    quiet: bool,
    size: bool,
) -> None:
    """List containers."""
    size = size or bool(form and ".Size" in form)
    limit = 1 if latest else last if last > 0 else None
    query = {"all": show_all or None, "limit": limit, "size": size or None, "filters": parse_filters(filters)}
    containers = client.json("GET", "/containers/json", query)
    if quiet and not form:
        for container in containers:
            click.echo(container["Id"] if no_trunc else short_id(container["Id"]))
        return
    rows = [row(container, no_trunc) for container in containers]
    LISTING.show(rows, form, (*COLUMNS, "Size") if size else COLUMNS)


def row(container: dict[str, Any], no_trunc: bool) -> Row:
    """One container as the templates of ``--format`` see it."""
    labels = container.get("Labels") or {}
    command = container["Command"] if no_trunc else shorten(container["Command"], 20)
    mounts = [mount.get("Name") or mount.get("Source", "") for mount in container.get("Mounts") or []]
    return {
        "ID": container["Id"] if no_trunc else short_id(container["Id"]),
        "Image": _image(container, no_trunc),
        "Command": f'"{command}"',
        "CreatedAt": units.local_unix(container["Created"]),
        "RunningFor": units.ago(container["Created"]),
        "Status": container["Status"],
        "State": container["State"],
        "Ports": ports_text(container.get("Ports") or []),
        "Names": _names(container.get("Names") or [], no_trunc),
        "Size": _size(container),
        "Labels": labels_text(labels),
        "Label": lambda key: labels.get(key, ""),
        "Mounts": ",".join(mount if no_trunc else shorten(mount, 15) for mount in mounts),
        "LocalVolumes": str(sum(mount.get("Driver") == "local" for mount in container.get("Mounts") or [])),
        "Networks": ",".join((container.get("NetworkSettings") or {}).get("Networks") or {}),
    }


def _image(container: dict[str, Any], no_trunc: bool) -> str:
    image = str(container["Image"] or "<no image>")
    return short_id(image) if image.startswith("sha256:") and not no_trunc else image


def _names(names: list[str], no_trunc: bool) -> str:
    """Names without their slash; those with a second one are names by links."""
    plain = [name.removeprefix("/") for name in names]
    return ",".join(plain if no_trunc else [name for name in plain if "/" not in name])


def _size(container: dict[str, Any]) -> str:
    written, total = container.get("SizeRw") or 0, container.get("SizeRootFs") or 0
    text = units.decimal_size(written)
    return f"{text} (virtual {units.decimal_size(total)})" if total else text


def ports_text(ports: list[dict[str, Any]]) -> str:
    """``443/tcp, 0.0.0.0:8000-8001->8000-8001/tcp, 0.0.0.0:8080->80/tcp``.

    As docker does: neighbours become a range where the host's number is the container's; other mappings come last.
    """
    ranges: list[tuple[str, str, int, int]] = []
    mapped = []
    for port in sorted(ports, key=lambda p: (p["PrivatePort"], p.get("IP", ""), p.get("PublicPort") or 0, p["Type"])):
        address, number, kind = port.get("IP", ""), port["PrivatePort"], port["Type"]
        if address and port.get("PublicPort") != number:
            mapped.append(f"{_joined(address, str(port.get('PublicPort', 0)))}->{number}/{kind}")
            continue
        index = next(
            (i for i, each in enumerate(ranges) if each[:2] == (address, kind) and each[3] == number - 1), None
        )
        if index is None:
            ranges.append((address, kind, number, number))
        else:
            ranges[index] = (address, kind, ranges[index][2], number)
    return ", ".join([*map(_range, ranges), *mapped])


def _range(group: tuple[str, str, int, int]) -> str:
    address, kind, first, last = group
    span = str(first) if first == last else f"{first}-{last}"
    return f"{_joined(address, span)}->{span}/{kind}" if address else f"{span}/{kind}"


def _joined(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
