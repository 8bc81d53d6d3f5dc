"""Take an image archive apart: a tar of named files, perhaps compressed, in any order.

manifest.json comes last in what ``docker save`` of old writes, so which file is a layer is known only at the end. Each
file therefore goes to the disk first, hashed on the way, and layers are unpacked from there once their digests are
right: nothing of an archive with a wrong digest is ever unpacked. Reading a layer again costs little, it is still in
the page cache.
"""

from __future__ import annotations

import posixpath
import stat
from pathlib import Path

from engine.archives.compression import plain
from engine.archives.limits import Budget
from engine.archives.paths import clean
from engine.archives.reader import Entry, Readable, TarReader
from engine.errors import InvalidArgument
from engine.images.content import Blob, receive
from engine.images.manifests import Description, describe
from engine.images.platforms import Platform

_MAX_FILES = 100_000
_MAX_HOPS = 16
_MAX_NAME = 1024  # all names are in memory at once


def open_archive(
    stream: Readable, directory: Path, budget: Budget, platform: Platform | None = None
) -> list[Description]:
    """Receive all files of an archive into ``directory`` and return the images in it, digests checked.

    InvalidArgument for a bad archive, NotFound when no image in it is for the platform.
    """
    reader = TarReader(plain(stream).stream)
    files: dict[str, Blob] = {}
    links: dict[str, str] = {}
    for number, entry in enumerate(reader):
        budget.count()
        if number >= _MAX_FILES:
            raise InvalidArgument(f"archive has more than {_MAX_FILES} files")
        if max(len(entry.name), len(entry.linkname)) > _MAX_NAME:
            raise InvalidArgument(f"open {entry.name[:255]}…: file name too long")
        name = clean(entry.name)
        if entry.kind == stat.S_IFREG and entry.sparse is None:
            files[name] = receive(reader, directory / str(number), budget)
        elif entry.kind == stat.S_IFLNK or entry.is_hard_link:
            links[name] = _target(name, entry)
    _follow(links, files)
    return describe(files, platform)


def _target(name: str, entry: Entry) -> str:
    """``docker save`` 20.10 and skopeo write a layer that occurs twice as a link to its first place."""
    if entry.is_hard_link or entry.linkname.startswith("/"):
        return clean(entry.linkname)
    return clean(posixpath.join(posixpath.dirname(name), entry.linkname))


def _follow(links: dict[str, str], files: dict[str, Blob]) -> None:
    """Links are names of files in the archive and nothing else; the file system never sees them."""
    for name, target in links.items():
        for _ in range(_MAX_HOPS):
            if target not in links:
                break
            target = links[target]
        if name not in files and target in files:
            files[name] = files[target]
