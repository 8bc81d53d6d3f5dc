"""The list of images, their history, tags and removal."""

from __future__ import annotations

from typing import Any

import click

from frontend.cli import units
from frontend.cli.client import Client, segment
from frontend.cli.errors import CliError
from frontend.cli.output import Listing, Row, short_id, shorten
from frontend.cli.references import check_reference, split_reference

from ._common import filter_option, format_option, parse_filters, pass_client, succeed

_NONE = "<none>"
LISTING = Listing(
    ("Repository", "Tag", "ID", "CreatedSince", "Size"),
    {
        "Repository": "REPOSITORY",
        "Tag": "TAG",
        "Digest": "DIGEST",
        "ID": "IMAGE ID",
        "CreatedSince": "CREATED",
        "CreatedAt": "CREATED AT",
        "Size": "SIZE",
        "Containers": "CONTAINERS",
        "SharedSize": "SHARED SIZE",
        "UniqueSize": "UNIQUE SIZE",
        "VirtualSize": "VIRTUAL SIZE",
    },
)
HISTORY = Listing(
    ("ID", "CreatedSince", "CreatedBy", "Size", "Comment"),
    {
        "ID": "IMAGE",
        "CreatedSince": "CREATED",
        "CreatedAt": "CREATED AT",
        "CreatedBy": "CREATED BY",
        "Size": "SIZE",
        "Comment": "COMMENT",
    },
)


@click.command()
@click.option("-a", "--all", "show_all", is_flag=True, help="Show all images (default hides intermediate images)")
@click.option("--digests", is_flag=True, help="Show digests")
@filter_option
@format_option
@click.option("--no-trunc", is_flag=True, help="Don't truncate output")
@click.option("-q", "--quiet", is_flag=True, help="Only show image IDs")
@click.argument("repository", default="", metavar="[REPOSITORY[:TAG]]")
@pass_client
def images(
    client: Client,
    repository: str,
    show_all: bool,
    digests: bool,
    filters: tuple[str, ...],
    form: str | None,
    no_trunc: bool,
    quiet: bool,
) -> None:
    """List images."""
    if repository:
        filters = (*filters, f"reference={repository}")
    query = {"all": show_all or None, "filters": parse_filters(filters)}
    found = sorted(client.json("GET", "/images/json", query), key=lambda image: -image["Created"])
    rows = [row for image in found for row in image_rows(image, no_trunc, with_digests=digests)]
    if quiet and not form:
        for identity in dict.fromkeys(row["ID"] for row in rows):
            click.echo(identity)
        return
    columns = ("Repository", "Tag", "Digest", "ID", "CreatedSince", "Size") if digests else LISTING.columns
    LISTING.show(rows, form, columns)


def image_rows(image: dict[str, Any], no_trunc: bool, *, with_digests: bool) -> list[Row]:
    """One row for each tag; an image without any has one row of its own."""
    digests = dict(text.split("@", 1) for text in image.get("RepoDigests") or ())
    tags = [tag for tag in image.get("RepoTags") or () if tag != f"{_NONE}:{_NONE}"]
    names = [split_reference(tag) for tag in tags]
    if not names:
        names = [(repository, _NONE) for repository in digests] or [(_NONE, _NONE)]
    size = image["Size"]
    return [
        {
            "Repository": repository,
            "Tag": tag,
            "Digest": digests.get(repository, _NONE),
            "ID": image["Id"] if no_trunc else short_id(image["Id"]),
            "CreatedSince": units.ago(image["Created"]),
            "CreatedAt": units.local_unix(image["Created"]),
            "Size": units.decimal_size(size),
            "VirtualSize": units.decimal_size(size, 4),
            "Containers": _or_unknown(image.get("Containers", -1)),
            "SharedSize": _size_or_unknown(image.get("SharedSize", -1)),
            "UniqueSize": "N/A" if image.get("SharedSize", -1) < 0 else units.decimal_size(size - image["SharedSize"]),
        }
        for repository, tag in names
    ]


def _or_unknown(count: int) -> str:
    return "N/A" if count < 0 else str(count)


def _size_or_unknown(size: int) -> str:
    return "N/A" if size < 0 else units.decimal_size(size)


@click.command()
@format_option
@click.option("-H", "--human/--no-human", default=True, help="Print sizes and dates in human readable format")
@click.option("--no-trunc", is_flag=True, help="Don't truncate output")
@click.option("-q", "--quiet", is_flag=True, help="Only show image IDs")
@click.argument("image")
@pass_client
def history(client: Client, image: str, form: str | None, human: bool, no_trunc: bool, quiet: bool) -> None:
    """Show the history of an image."""
    layers = client.json("GET", f"/images/{segment(image)}/history")
    rows = [_layer(layer, human, no_trunc) for layer in layers]
    if quiet and not form:
        for row in rows:
            click.echo(row["ID"])
        return
    HISTORY.show(rows, form)


def _layer(layer: dict[str, Any], human: bool, no_trunc: bool) -> Row:
    created_by = (layer["CreatedBy"] or "").replace("\t", " ")
    moment = units.local_unix(layer["Created"]) if layer["Created"] > 0 else "N/A"
    return {
        "ID": layer["Id"] if no_trunc or layer["Id"] == "<missing>" else short_id(layer["Id"]),
        "CreatedSince": units.ago(layer["Created"]) if human else moment,
        "CreatedAt": moment,
        "CreatedBy": created_by if no_trunc else shorten(created_by, 45),
        "Size": units.decimal_size(layer["Size"]) if human else str(layer["Size"]),
        "Comment": layer["Comment"] if no_trunc else shorten(layer["Comment"], 45),
    }


@click.command()
@click.argument("source", metavar="SOURCE_IMAGE[:TAG]")
@click.argument("target", metavar="TARGET_IMAGE[:TAG]")
@pass_client
def tag(client: Client, source: str, target: str) -> None:
    """Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE."""
    try:
        check_reference(target)
    except CliError as error:
        raise CliError(f'Error parsing reference: "{target}" is not a valid repository/tag: {error}') from error
    name, version = split_reference(target)
    client.json("POST", f"/images/{segment(source)}/tag", {"repo": name, "tag": version or None})


@click.command()
@click.option("-f", "--force", is_flag=True, help="Force removal of the image")
@click.option("--no-prune", is_flag=True, help="Do not delete untagged parents")
@click.argument("names", nargs=-1, required=True, metavar="IMAGE [IMAGE...]")
@pass_client
def rmi(client: Client, names: tuple[str, ...], force: bool, no_prune: bool) -> None:
    """Remove one or more images."""

    def remove(name: str) -> str:
        query = {"force": force or None, "noprune": no_prune or None}
        done = client.json("DELETE", f"/images/{segment(name)}", query)
        return "\n".join(f"{kind}: {entry[kind]}" for entry in done for kind in entry)

    succeed(names, remove, missing_is_fine=force)
