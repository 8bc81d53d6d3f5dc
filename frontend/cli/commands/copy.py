"""``muelle cp``: files between a container and this machine, as tar streams.

What comes out of a container is not trusted: no member is written outside of the destination, not through a symbolic
link either.
"""

from __future__ import annotations

import base64
import json
import os
import posixpath
import sys
import tarfile
import threading
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click

from frontend.cli import units
from frontend.cli.client import Client, segment
from frontend.cli.errors import ApiError, CliError
from frontend.cli.session import copy_file

from ._common import pass_client

_STAT = "X-Docker-Container-Path-Stat"
_GO_DIRECTORY, _GO_LINK = 1 << 31, 1 << 27  # os.FileMode of Go


class Place(NamedTuple):
    """One side of a copy. ``container`` is None for this machine; ``path`` is as given, with its trailing slash."""

    container: str | None
    path: str


@click.command()
@click.option("-a", "--archive", is_flag=True, help="Archive mode (copy all uid/gid information)")
@click.option("-L", "--follow-link", is_flag=True, help="Always follow symbol link in SRC_PATH")
@click.option("-q", "--quiet", is_flag=True, help="Suppress progress output during copy")
@click.argument("source", metavar="CONTAINER:SRC_PATH|SRC_PATH|-")
@click.argument("target", metavar="CONTAINER:DEST_PATH|DEST_PATH|-")
@pass_client
def cp(client: Client, source: str, target: str, archive: bool, follow_link: bool, quiet: bool) -> None:
    """Copy files/folders between a container and the local filesystem."""
    origin, destination = parse(source), parse(target)
    if origin.container is not None and destination.container is not None:
        raise CliError("copying between containers is not supported")
    if origin.container is not None:
        count = _out(client, origin, destination.path, archive, follow_link)
    elif destination.container is not None:
        count = _in(client, origin.path, destination, archive, follow_link)
    else:
        raise CliError("must specify at least one container source")
    if not quiet and sys.stdout.isatty():
        sys.stderr.write(f"Successfully copied {units.decimal_size(count)} to {target}\n")


def parse(text: str) -> Place:
    """``name:path`` is in a container, unless it begins like a local path."""
    name, mark, path = text.partition(":")
    if text.startswith(("/", ".")) or not mark or "/" in name:
        return Place(None, text)
    return Place(name, path)


def _archive(container: str) -> str:
    return f"/containers/{segment(container)}/archive"


def _stat(client: Client, place: Place) -> dict[str, Any] | None:
    """None when the path is not there."""
    try:
        response = client.open("HEAD", _archive(place.container or ""), {"path": place.path})
    except ApiError as error:
        if error.code == 404:
            return None
        raise
    found: dict[str, Any] = json.loads(base64.b64decode(response.headers[_STAT]))
    return found


def _out(client: Client, origin: Place, target: str, archive: bool, follow: bool) -> int:
    container, path = origin.container or "", origin.path
    if follow and (found := _stat(client, origin)) and found["mode"] & _GO_LINK:
        path = posixpath.join(posixpath.dirname(path), found["linkTarget"])
    with client.open("GET", _archive(container), {"path": path}) as response:
        if target == "-":
            copy_file(response, sys.stdout.buffer)
            return 0
        with tarfile.open(fileobj=response, mode="r|*") as members:
            return Extraction(target, contents=path.endswith("/."), owners=archive).run(members)


class Extraction:
    """Writes the members of a container's archive below a local path.

    A target that is a directory receives what is copied under its own name, or its ``contents`` alone; any other target
    is the new name of what is copied.
    """

    def __init__(self, target: str, *, contents: bool, owners: bool) -> None:
        path = Path(target)
        self._contents, self._owners = contents, owners
        if path.is_dir():
            self._root, self._name = path.resolve(), None
        elif not path.parent.is_dir() or target.endswith("/"):
            raise CliError(
                f'invalid output path: directory "{path if target.endswith("/") else path.parent}" does not exist'
            )
        else:
            self._root, self._name = path.parent.resolve(), path.name
        self.bytes = 0

    def run(self, members: tarfile.TarFile) -> int:
        """Returns the number of bytes of files. Raises CliError for a member that would leave the target."""
        directories = []
        for member in members:
            member.name = self._renamed(member.name)
            self._check(member)
            if not self._owners:
                member.uid, member.gid = os.getuid(), os.getgid()
                member.uname = member.gname = ""
            self.bytes += member.size
            if member.isdir():
                directories.append((member.name, member.mode, member.mtime))
                (self._root / member.name).mkdir(mode=0o700, parents=True, exist_ok=True)
            else:
                self._replace(member, members)
        for name, mode, moment in reversed(directories):
            (self._root / name).chmod(mode & 0o7777)
            os.utime(self._root / name, (moment, moment))
        return self.bytes

    def _renamed(self, name: str) -> str:
        top, _, rest = name.strip("/").partition("/")
        if self._contents and self._name is None:
            return rest or "."
        return posixpath.join(self._name or top, rest).rstrip("/")

    def _check(self, member: tarfile.TarInfo) -> None:
        if member.ischr() or member.isblk():
            raise CliError(f"cannot copy device {member.name}")
        parts = member.name.split("/")
        parent = self._root if member.name == "." else (self._root / member.name).parent.resolve()
        if ".." in parts or not parent.is_relative_to(self._root):
            raise CliError(f"refusing to write {member.name} outside of {self._root}")
        if member.islnk():
            member.linkname = self._renamed(member.linkname)
            linked = (self._root / member.linkname).resolve()
            if not linked.is_relative_to(self._root):
                raise CliError(f"refusing to link {member.name} to {member.linkname}")

    def _replace(self, member: tarfile.TarInfo, members: tarfile.TarFile) -> None:
        place = self._root / member.name
        if place.is_dir() and not place.is_symlink():
            raise CliError(f"cannot overwrite directory {place} with a file")
        place.unlink(missing_ok=True)
        members.extract(member, self._root, set_attrs=True, numeric_owner=True)


def _in(client: Client, source: str, destination: Place, archive: bool, follow: bool) -> int:
    container = destination.container or ""
    found = _stat(client, destination)
    if found and found["mode"] & _GO_LINK:
        path = posixpath.join(posixpath.dirname(destination.path), found["linkTarget"])
        destination = Place(container, path)
        found = _stat(client, destination)
    is_directory = bool(found and found["mode"] & _GO_DIRECTORY)
    query = {"noOverwriteDirNonDir": True, "copyUIDGID": archive or None}
    if source == "-":
        if not is_directory:
            raise CliError(f'destination "{container}:{destination.path}" must be a directory')
        client.json("PUT", _archive(container), {"path": destination.path, **query}, sys.stdin.buffer)
        return 0
    where, name = _target(source, destination.path, found, is_directory)
    with _Packing(source, name, follow=follow) as packing:
        client.json("PUT", _archive(container), {"path": where, **query}, packing.stream)
        return packing.bytes


def _target(source: str, path: str, found: dict[str, Any] | None, is_directory: bool) -> tuple[str, str]:
    """The directory to unpack in, and the name of what is copied there."""
    if not os.path.lexists(source):
        raise CliError(f"lstat {os.path.abspath(source)}: no such file or directory")  # noqa: PTH100
    source_is_directory = Path(source).is_dir() and not (Path(source).is_symlink() and not source.endswith("/"))
    if is_directory:
        contents = source.rstrip("/").endswith("/.") or source == "."
        return path, "." if contents else Path(source).absolute().name
    if found and source_is_directory:
        raise CliError("cannot copy a directory to a file")
    if not found and path.endswith("/") and not source_is_directory:
        raise CliError("no such directory")
    clean = path.rstrip("/") or "/"
    return posixpath.dirname(clean) or "/", posixpath.basename(clean)


class _Packing:
    """A local path as a tar stream, written by a thread into a pipe whose reading end is the body of a request."""

    def __init__(self, source: str, name: str, *, follow: bool) -> None:
        self._source = Path(source)
        if follow or source.endswith("/"):
            self._source = self._source.resolve()
        self._name = name
        self.bytes = 0
        reader, self._writer = os.pipe()
        self.stream: BinaryIO = os.fdopen(reader, "rb")
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> _Packing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self._thread.join()
        if self._failure:
            raise CliError(f"{self._failure.filename}: {(self._failure.strerror or '').lower()}") from self._failure

    def _write(self) -> None:
        try:
            with os.fdopen(self._writer, "wb") as out, tarfile.open(fileobj=out, mode="w|") as archive:
                archive.add(self._source, self._name, filter=self._count)
        except BrokenPipeError:
            return  # the engine has refused; its answer tells why
        except OSError as error:
            self._failure = error

    def _count(self, member: tarfile.TarInfo) -> tarfile.TarInfo:
        self.bytes += member.size
        return member
