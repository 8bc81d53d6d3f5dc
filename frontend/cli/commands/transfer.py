"""Images that move: pull, push, load, save, import and commit."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

import click

from frontend.cli.client import Client, segment
from frontend.cli.errors import CliError
from frontend.cli.progress import Rows
from frontend.cli.references import split_reference
from frontend.cli.session import copy_file

from ._common import pass_client

_platform = click.option("--platform", help="Platform, if server is multi-platform capable")


def pull_image(client: Client, image: str, platform: str | None, *, quiet: bool, out: TextIO) -> None:
    name, tag = split_reference(image)
    query = {"fromImage": name, "tag": tag or "latest", "platform": platform}
    Rows(out, quiet=quiet).show(client.stream("POST", "/images/create", query))


@click.command()
@click.option("-a", "--all-tags", is_flag=True, help="Download all tagged images in the repository")
@_platform
@click.option("-q", "--quiet", is_flag=True, help="Suppress verbose output")
@click.argument("image", metavar="NAME[:TAG|@DIGEST]")
@pass_client
def pull(client: Client, image: str, all_tags: bool, platform: str | None, quiet: bool) -> None:
    """Download an image from a registry."""
    name, tag = split_reference(image)
    if all_tags and tag:
        raise CliError("tag can't be used with --all-tags/-a")
    if not (all_tags or tag):
        if not quiet:
            click.echo("Using default tag: latest")
        tag = "latest"
    query = {"fromImage": name, "tag": tag or None, "platform": platform}
    Rows(sys.stdout, quiet=quiet).show(client.stream("POST", "/images/create", query))
    click.echo(f"{name}@{tag}" if tag.startswith("sha256:") else f"{name}:{tag}" if tag else name)


@click.command()
@click.option("-a", "--all-tags", is_flag=True, help="Push all tags of an image to the repository")
@click.option("-q", "--quiet", is_flag=True, help="Suppress verbose output")
@click.argument("image", metavar="NAME[:TAG]")
@pass_client
def push(client: Client, image: str, all_tags: bool, quiet: bool) -> None:
    """Upload an image to a registry."""
    name, tag = split_reference(image)
    if all_tags and tag:
        raise CliError("tag can't be used with --all-tags/-a")
    query = {"tag": None if all_tags else tag or "latest"}
    # base64url of {}: no credentials, which the API wants to be told.
    answers = client.stream("POST", f"/images/{segment(name)}/push", query, None, {"X-Registry-Auth": "e30="})
    Rows(sys.stdout, quiet=quiet).show(answers)
    if quiet:
        click.echo(image)


@click.command()
@click.option("-i", "--input", "source", help="Read from tar archive file, instead of STDIN")
@_platform
@click.option("-q", "--quiet", is_flag=True, help="Suppress the load output")
@pass_client
def load(client: Client, source: str | None, platform: str | None, quiet: bool) -> None:
    """Load an image from a tar archive or STDIN."""
    if source is None and sys.stdin.isatty():
        raise CliError("requested load from stdin, but stdin is empty")
    query = {"quiet": quiet or not sys.stdout.isatty(), "platform": platform}
    with _opened(source) as archive:
        Rows(sys.stdout, quiet=False).show(client.stream("POST", "/images/load", query, archive))


@click.command()
@click.option("-o", "--output", help="Write to a file, instead of STDOUT")
@_platform
@click.argument("names", nargs=-1, required=True, metavar="IMAGE [IMAGE...]")
@pass_client
def save(client: Client, names: tuple[str, ...], output: str | None, platform: str | None) -> None:
    """Save one or more images to a tar archive (streamed to STDOUT by default)."""
    if output is None and sys.stdout.isatty():
        raise CliError("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    download(client, "/images/get", {"names": list(names), "platform": platform}, output)


def download(client: Client, path: str, query: dict[str, str | list[str] | None], output: str | None) -> None:
    """A reply's body into a file, which appears only when it is complete, or to standard output."""
    with client.open("GET", path, query) as response:
        if output is None:
            copy_file(response, sys.stdout.buffer)
            return
        target = Path(output)
        if target.is_dir():
            raise CliError(f"invalid output path: {output} is a directory")
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with temporary.open("xb") as file:
                copy_file(response, file)
            temporary.replace(target)
        except OSError as error:
            raise CliError(f"invalid output path: {output}: {(error.strerror or '').lower()}") from error
        finally:
            temporary.unlink(missing_ok=True)


@click.command("import")
@click.option("-c", "--change", multiple=True, help="Apply Dockerfile instruction to the created image")
@click.option("-m", "--message", help="Set commit message for imported image")
@_platform
@click.argument("source", metavar="file|URL|-")
@click.argument("reference", default="", metavar="[REPOSITORY[:TAG]]")
@pass_client
def import_(
    client: Client, source: str, reference: str, change: tuple[str, ...], message: str | None, platform: str | None
) -> None:
    """Import the contents from a tarball to create a filesystem image."""
    name, tag = split_reference(reference)
    query = {
        "fromSrc": source if "://" in source else "-",
        "repo": name or None,
        "tag": tag or None,
        "message": message,
        "changes": list(change),
        "platform": platform,
    }
    opened = contextlib.nullcontext() if "://" in source else _opened(None if source == "-" else source)
    with opened as archive:
        Rows(sys.stdout).show(client.stream("POST", "/images/create", query, archive))


@contextlib.contextmanager
def _opened(path: str | None) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdin.buffer
        return
    try:
        file: BinaryIO = open(path, "rb")  # noqa: SIM115 -- closed below
    except OSError as error:
        raise CliError(f"open {path}: {(error.strerror or '').lower()}") from error
    with file:
        yield file


@click.command()
@click.option("-a", "--author", help='Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")')
@click.option("-c", "--change", multiple=True, help="Apply Dockerfile instruction to the created image")
@click.option("-m", "--message", help="Commit message")
@click.option("-p", "--pause/--no-pause", default=True, help="Pause container during commit")
@click.argument("container")
@click.argument("reference", default="", metavar="[REPOSITORY[:TAG]]")
@pass_client
def commit(
    client: Client,
    container: str,
    reference: str,
    author: str | None,
    change: tuple[str, ...],
    message: str | None,
    pause: bool,
) -> None:
    """Create a new image from a container's changes."""
    name, tag = split_reference(reference)
    query = {
        "container": container,
        "repo": name or None,
        "tag": tag or None,
        "author": author,
        "comment": message,
        "changes": list(change),
        "pause": pause,
    }
    click.echo(client.json("POST", "/commit", query, {})["Id"])
