"""``muelle version``, ``info`` and ``system df``."""

from __future__ import annotations

import json
import platform
import sys
from typing import Any

import click

from frontend.cli import units
from frontend.cli.client import Client
from frontend.cli.main import VERSION
from frontend.cli.output import Listing, Row
from frontend.cli.template import Template

from ._common import format_option, pass_client
from .images import LISTING as IMAGES
from .images import image_rows
from .ps import LISTING as CONTAINERS
from .ps import row as container_row
from .volumes import LISTING as VOLUMES
from .volumes import volume_row

_form = click.option("-f", "--format", "form", metavar="string", help="Format output using a custom template")
DISK = Listing(
    ("Type", "TotalCount", "Active", "Size", "Reclaimable"),
    {"Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE"},
)


def _print(value: dict[str, Any], form: str) -> None:
    text = json.dumps(value, separators=(",", ":")) if form == "json" else Template(form).render(value)
    sys.stdout.write(text + "\n")


@click.command()
@_form
@pass_client
def version(client: Client, form: str | None) -> None:
    """Show the version information."""
    server = client.json("GET", "/version")
    # Go's field is APIVersion, its JSON name ApiVersion; templates use the one, the reply has the other.
    server |= {"APIVersion": server["ApiVersion"], "MinAPIVersion": server.get("MinAPIVersion", "")}
    mine = {
        "Version": VERSION,
        "APIVersion": server["ApiVersion"],
        "Os": platform.system().lower(),
        "Arch": server["Arch"],
        "PythonVersion": platform.python_version(),
    }
    if form:
        _print({"Client": mine, "Server": server}, form)
        return
    lines = ["Client:", *_fields(mine, ("Version", "APIVersion", "PythonVersion")), "", "Server:"]
    lines += _fields(server, ("Version", "ApiVersion", "MinAPIVersion", "GitCommit", "BuildTime", "KernelVersion"))
    for part in server.get("Components") or ():
        lines += [f" {part['Name']}:", f"  Version:          {part['Version']}"]
    sys.stdout.write("\n".join(lines) + "\n")


def _fields(value: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    return [f" {name + ':':18} {value[name]}" for name in names if value.get(name)]


_INFO = (
    ("Containers", "Containers"), (" Running", "ContainersRunning"), (" Paused", "ContainersPaused"),
    (" Stopped", "ContainersStopped"), ("Images", "Images"), ("Server Version", "ServerVersion"),
    ("Storage Driver", "Driver"), ("Logging Driver", "LoggingDriver"), ("Cgroup Driver", "CgroupDriver"),
    ("Cgroup Version", "CgroupVersion"), ("Default Runtime", "DefaultRuntime"), ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"), ("OSType", "OSType"), ("Architecture", "Architecture"), ("CPUs", "NCPU"),
    ("Total Memory", "MemTotal"), ("Name", "Name"), ("ID", "ID"), ("Docker Root Dir", "DockerRootDir"),
)  # fmt: skip


@click.command()
@_form
@pass_client
def info(client: Client, form: str | None) -> None:
    """Display system-wide information."""
    found = client.json("GET", "/info")
    if form:
        _print(found, form)
        return
    lines = ["Client:", f" Version:    {VERSION}", "", "Server:"]
    for label, field in _INFO:
        if field in found:
            value = units.binary_size(found[field]) if field == "MemTotal" else found[field]
            lines.append(f" {label}: {value}")
    for kind, names in (found.get("Plugins") or {}).items():
        if names:
            lines.append(f" {kind}: {' '.join(names)}")
    lines += [" Security Options:", *(f"  {option}" for option in found.get("SecurityOptions") or ())]
    sys.stdout.write("\n".join(lines) + "\n")
    for warning in found.get("Warnings") or ():
        sys.stderr.write(f"{warning}\n")


@click.command()
@format_option
@click.option("-v", "--verbose", is_flag=True, help="Show detailed information on space usage")
@pass_client
def df(client: Client, form: str | None, verbose: bool) -> None:
    """Show disk usage."""
    found = client.json("GET", "/system/df")
    if verbose:
        _details(found)
    else:
        DISK.show(_usage(found), form)


def _usage(found: dict[str, Any]) -> list[Row]:
    images, containers = found.get("Images") or [], found.get("Containers") or []
    volumes, caches = found.get("Volumes") or [], found.get("BuildCache") or []
    used = [one for one in images if one["Containers"] > 0]
    layers = found.get("LayersSize") or 0
    in_use = sum(one["Size"] for one in used)
    running = [one for one in containers if one["State"] in ("running", "paused", "restarting")]
    written = sum(one.get("SizeRw") or 0 for one in containers)
    sizes = [max((one.get("UsageData") or {}).get("Size", 0), 0) for one in volumes]
    bound = [(one.get("UsageData") or {}).get("RefCount", 0) > 0 for one in volumes]
    cached, cached_in_use = (sum(c["Size"] for c in caches if not idle or c["InUse"]) for idle in (False, True))
    return [
        _usage_row("Images", len(images), len(used), layers, max(0, layers - in_use)),
        _usage_row(
            "Containers",
            len(containers),
            len(running),
            written,
            written - sum(one.get("SizeRw") or 0 for one in running),
        ),
        _usage_row(
            "Local Volumes",
            len(volumes),
            sum(bound),
            sum(sizes),
            sum(size for size, taken in zip(sizes, bound, strict=True) if not taken),
        ),
        _usage_row("Build Cache", len(caches), sum(c["InUse"] for c in caches), cached, cached - cached_in_use),
    ]


def _usage_row(kind: str, total: int, active: int, size: int, free: int) -> Row:
    share = f" ({free * 100 // size}%)" if size and kind != "Build Cache" else ""
    return {
        "Type": kind,
        "TotalCount": str(total),
        "Active": str(active),
        "Size": units.decimal_size(size, 4),
        "Reclaimable": f"{units.decimal_size(free, 4)}{share}",
    }


def _details(found: dict[str, Any]) -> None:
    sys.stdout.write("Images space usage:\n\n")
    rows = [row for one in found.get("Images") or () for row in image_rows(one, no_trunc=False, with_digests=False)]
    columns = ("Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers")
    IMAGES.show(rows, None, columns)
    sys.stdout.write("\nContainers space usage:\n\n")
    rows = [container_row(one, no_trunc=False) for one in found.get("Containers") or ()]
    CONTAINERS.show(rows, None, ("ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"))
    sys.stdout.write("\nLocal Volumes space usage:\n\n")
    VOLUMES.show([volume_row(one) for one in found.get("Volumes") or ()], None, ("Name", "Links", "Size"))
