"""Load, import and save: image archives through a bulk stream."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any, BinaryIO

from controlpanel.contracts import images
from controlpanel.contracts.images import SavedImage
from controlpanel.objects import events
from controlpanel.operations import tickets
from controlpanel.operations.images import library
from controlpanel.operations.tickets import Streams
from engine.errors import InvalidArgument
from engine.images import platforms
from engine.images.store import LoadedImage
from engine.images.store import SavedImage as SavedFiles


@images.load.implement
def load(project: str, ticket: str, quiet: bool = False, platform: str | None = None) -> list[str]:
    wanted = platforms.parse(platform) if platform else None
    with tickets.fetch(ticket) as streams, _body(streams) as body:
        loaded = library.store().load(body, _silent if quiet else streams.tell, wanted)
        for each in loaded:
            for text in _register(project, each):
                streams.tell({"stream": text})
    return [each.image_id for each in loaded]


@images.import_.implement
def import_(
    project: str,
    ticket: str,
    config: dict[str, Any],
    comment: str,
    name: str | None = None,
    platform: str | None = None,
) -> str:
    wanted = platforms.parse(platform) if platform else platforms.HOST
    with tickets.fetch(ticket) as streams, _body(streams) as body:
        # Without progress, as in Docker: what is wrong with the archive can then still be a status.
        image = library.record(project, library.store().import_(body, config, _silent, comment, wanted))
        if name:
            library.point(name, image)
        shown = library.familiar(name) if name else None
        events.publish_all([library.event(image, "import", shown)])
        streams.tell({"status": image.image_id})
    return image.image_id


@images.save.implement
def save(images: list[SavedImage], ticket: str) -> None:
    """An image that has gone meanwhile is NotFound before the first byte."""
    rows = [library.row(each["image"]) for each in images]
    wanted = [SavedFiles(row.image_id, tuple(each["names"])) for row, each in zip(rows, images, strict=True)]
    with tickets.fetch(ticket) as streams, ExitStack() as stack:
        out = stack.enter_context(os.fdopen(os.dup(tickets.needed(streams.reply)), "wb"))
        library.store().save(wanted, out)
    events.publish_all([library.event(row, "save") for row in rows])


def _register(project: str, loaded: LoadedImage) -> list[str]:
    """Record a loaded image and its names; the lines that ``docker load`` prints."""
    image = library.record(project, loaded)
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
