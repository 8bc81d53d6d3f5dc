"""``muelle network``."""

from __future__ import annotations

from typing import Any

import click

from frontend.cli import units
from frontend.cli.client import Client, segment
from frontend.cli.errors import CliError
from frontend.cli.flags.container import pairs
from frontend.cli.main import LazyGroup, Place
from frontend.cli.output import Listing, Row, labels_text, short_id

from ._common import each, filter_option, format_option, parse_filters, pass_client
from .inspect import show

LISTING = Listing(
    ("ID", "Name", "Driver", "Scope"),
    {
        "ID": "NETWORK ID",
        "Name": "NAME",
        "Driver": "DRIVER",
        "Scope": "SCOPE",
        "IPv6": "IPV6",
        "Internal": "INTERNAL",
        "Labels": "LABELS",
        "CreatedAt": "CREATED AT",
    },
)

network = LazyGroup(
    {
        "ls": Place("networks", "ls", "List networks"),
        "list": Place("networks", "ls", "List networks"),
        "create": Place("networks", "create", "Create a network"),
        "rm": Place("networks", "rm", "Remove one or more networks"),
        "inspect": Place("networks", "inspect", "Display detailed information on one or more networks"),
        "connect": Place("networks", "connect", "Connect a container to a network"),
        "disconnect": Place("networks", "disconnect", "Disconnect a container from a network"),
        "prune": Place("prune", "networks", "Remove all unused networks"),
    },
    name="network",
    help="Manage networks",
)


@click.command()
@filter_option
@format_option
@click.option("--no-trunc", is_flag=True, help="Do not truncate the output")
@click.option("-q", "--quiet", is_flag=True, help="Only display network IDs")
@pass_client
def ls(client: Client, filters: tuple[str, ...], form: str | None, no_trunc: bool, quiet: bool) -> None:
    """List networks."""
    found = client.json("GET", "/networks", {"filters": parse_filters(filters)})
    rows = [_row(one, no_trunc) for one in sorted(found, key=lambda one: one["Name"])]
    if quiet and not form:
        for row in rows:
            click.echo(row["ID"])
        return
    LISTING.show(rows, form)


def _row(found: dict[str, Any], no_trunc: bool) -> Row:
    labels = found.get("Labels") or {}
    return {
        "ID": found["Id"] if no_trunc else short_id(found["Id"]),
        "Name": found["Name"],
        "Driver": found["Driver"],
        "Scope": found["Scope"],
        "IPv4": str(found.get("EnableIPv4", True)).lower(),
        "IPv6": str(found["EnableIPv6"]).lower(),
        "Internal": str(found["Internal"]).lower(),
        "Labels": labels_text(labels),
        "Label": lambda key: labels.get(key, ""),
        "CreatedAt": units.local_time(units.parse_time(found["Created"])),
    }


@click.command()
@click.option("--attachable", is_flag=True, help="Enable manual container attachment")
@click.option("--aux-address", multiple=True, help="Auxiliary IPv4 or IPv6 addresses used by Network driver")
@click.option("-d", "--driver", default="bridge", show_default=True, help="Driver to manage the Network")
@click.option("--gateway", multiple=True, help="IPv4 or IPv6 Gateway for the master subnet")
@click.option("--internal", is_flag=True, help="Restrict external access to the network")
@click.option("--ip-range", multiple=True, help="Allocate container ip from a sub-range")
@click.option("--ipam-driver", default="default", help="IP Address Management Driver")
@click.option("--ipam-opt", multiple=True, help="Set IPAM driver specific options")
@click.option("--ipv6", is_flag=True, help="Enable or disable IPv6 address assignment")
@click.option("--label", multiple=True, help="Set metadata on a network")
@click.option("-o", "--opt", multiple=True, help="Set driver specific options")
@click.option("--subnet", multiple=True, help="Subnet in CIDR format that represents a network segment")
@click.argument("name", metavar="NETWORK")
@pass_client
def create(client: Client, /, name: str, **flags: Any) -> None:
    """Create a network."""
    configs = []
    for index, subnet in enumerate(flags["subnet"]):
        config = {"Subnet": subnet}
        for field, given in (("IPRange", flags["ip_range"]), ("Gateway", flags["gateway"])):
            if index < len(given):
                config[field] = given[index]
        configs.append(config | ({"AuxiliaryAddresses": pairs(flags["aux_address"])} if flags["aux_address"] else {}))
    body = {
        "Name": name,
        "CheckDuplicate": True,
        "Driver": flags["driver"],
        "Attachable": flags["attachable"],
        "Internal": flags["internal"],
        "EnableIPv6": flags["ipv6"],
        "Labels": pairs(flags["label"]),
        "Options": pairs(flags["opt"]),
        "IPAM": {"Driver": flags["ipam_driver"], "Options": pairs(flags["ipam_opt"]), "Config": configs},
    }
    click.echo(client.json("POST", "/networks/create", None, body)["Id"])


@click.command()
@click.option("-f", "--force", is_flag=True, help="Do not error if the network does not exist")
@click.argument("names", nargs=-1, required=True, metavar="NETWORK [NETWORK...]")
@pass_client
def rm(client: Client, names: tuple[str, ...], force: bool) -> None:
    """Remove one or more networks."""
    failed = each(names, lambda name: client.json("DELETE", f"/networks/{segment(name)}"), missing_is_fine=force)
    if failed:
        raise CliError("exit status 1")


@click.command()
@click.option("-f", "--format", "form", metavar="string", help="Format output using a custom template")
@click.option("-v", "--verbose", is_flag=True, help="Verbose output for diagnostics")
@click.argument("names", nargs=-1, required=True, metavar="NETWORK [NETWORK...]")
@pass_client
def inspect(client: Client, names: tuple[str, ...], form: str | None, verbose: bool) -> None:
    """Display detailed information on one or more networks."""
    query = {"verbose": verbose or None}
    show(names, form, lambda name: client.json("GET", f"/networks/{segment(name)}", query))


@click.command()
@click.option("--alias", multiple=True, help="Add network-scoped alias for the container")
@click.option("--ip", help='IPv4 address (e.g., "172.30.100.104")')
@click.option("--ip6", help='IPv6 address (e.g., "2001:db8::33")')
@click.option("--link", multiple=True, help="Add link to another container")
@click.argument("name", metavar="NETWORK")
@click.argument("container")
@pass_client
def connect(
    client: Client,
    name: str,
    container: str,
    alias: tuple[str, ...],
    ip: str | None,
    ip6: str | None,
    link: tuple[str, ...],
) -> None:
    """Connect a container to a network."""
    addresses = {key: value for key, value in (("IPv4Address", ip), ("IPv6Address", ip6)) if value}
    endpoint = {"Aliases": list(alias) or None, "Links": list(link) or None, "IPAMConfig": addresses or None}
    body = {"Container": container, "EndpointConfig": endpoint}
    client.json("POST", f"/networks/{segment(name)}/connect", None, body)


@click.command()
@click.option("-f", "--force", is_flag=True, help="Force the container to disconnect from a network")
@click.argument("name", metavar="NETWORK")
@click.argument("container")
@pass_client
def disconnect(client: Client, name: str, container: str, force: bool) -> None:
    """Disconnect a container from a network."""
    client.json("POST", f"/networks/{segment(name)}/disconnect", None, {"Container": container, "Force": force})
