"""Load, import and save: image archives through a bulk stream."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any, BinaryIO

from controlpanel.objects import events
from controlpanel.objects.models import Image
from controlpanel.operations import tickets
from controlpanel.operations.images import library
from controlpanel.operations.tickets import Streams
from controlpanel.rpc.worker import operation
from engine.errors import InvalidArgument
from engine.images import references
from engine.images.store import LoadedImage, SavedImage


@operation("images.load")
def load(ticket: str, quiet: bool = False) -> list[str]:
    """Load an archive; Docker's progress goes to the ticket's reply. Returns the image IDs."""
    with tickets.fetch(ticket) as streams, _body(streams) as body:
        images = library.store().load(body, _silent if quiet else streams.tell)
        for loaded in images:
            for text in _register(loaded):
                streams.tell({"stream": text})
    return [loaded.image_id for loaded in images]


@operation("images.import_")
def import_(ticket: str, reference: str | None = None, config: dict[str, Any] | None = None) -> str:
    """Make an image of a root file system's tar; ``config`` is ``{"config", "comment"}``. Returns the image ID."""
    wanted = config or {}
    name = references.parse(reference).canonical if reference else None
    if name and "@" in name:
        raise InvalidArgument("cannot import digest reference")
    with tickets.fetch(ticket) as streams, _body(streams) as body:
        comment = wanted.get("comment") or "Imported from -"
        # Without progress, as in Docker: what is wrong with the archive can then still be a status.
        loaded = library.store().import_(body, wanted.get("config") or {}, _silent, comment)
        image = library.record(loaded)
        if name:
            library.point(name, image)
        shown = library.familiar(name) if name else None
        events.publish_all([library.event(image, "import", shown)])
        streams.tell({"status": image.image_id})
    return image.image_id


@operation("images.save")
def save(names: list[str], ticket: str) -> None:
    """Write a docker-archive of the named images to the ticket's reply. NotFound before the first byte."""
    chosen = _chosen(names)
    with tickets.fetch(ticket) as streams, ExitStack() as stack:
        assert streams.reply is not None
        out = stack.enter_context(os.fdopen(os.dup(streams.reply), "wb"))
        library.store().save([SavedImage(image, tuple(tags)) for image, tags in chosen.items()], out)
    happened = [library.event(image, "save") for image in Image.objects.filter(image_id__in=chosen)]
    events.publish_all(happened)


def _chosen(names: list[str]) -> dict[str, list[str]]:
    """Image IDs with the names that the archive gives them: none when asked for by ID, all tags for a bare name."""
    chosen: dict[str, list[str]] = {}
    for name in names:
        image = library.find(name)
        tags = chosen.setdefault(image.image_id, [])
        tags += [tag for tag in _tags_meant(image, name) if tag not in tags]
    return chosen


def _tags_meant(image: Image, name: str) -> list[str]:
    owned = list(image.references.filter(is_digest=False).values_list("name", flat=True))
    try:
        wanted = references.parse(name).canonical
    except InvalidArgument:
        return []
    return [wanted] if wanted in owned else []


def _register(loaded: LoadedImage) -> list[str]:
    """Record a loaded image and its names; the lines that ``docker load`` prints."""
    image = library.record(loaded)
    lines = []
    for name in loaded.references:
        shown = library.familiar(name)
        former = library.point(name, image)
        if former:
            lines.append(
                f"The image {shown} already exists, renaming the old one with ID {former.image_id} to empty string\n"
            )
        lines.append(f"Loaded image: {shown}\n")
    events.publish_all([library.event(image, "load")])
    return lines or [f"Loaded image ID: {image.image_id}\n"]


def _body(streams: Streams) -> BinaryIO:
    """The upload as a file; the ticket keeps its own descriptor."""
    if streams.body is None:
        raise InvalidArgument("an archive is needed in the body of the request")
    return os.fdopen(os.dup(streams.body), "rb")


def _silent(_message: dict[str, Any]) -> None:
    """No progress."""
