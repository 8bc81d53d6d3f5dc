"""Operations on images. ``image`` is the key of a row; names are canonical (``docker.io/library/busybox:latest``)."""

from __future__ import annotations

from typing import Any, TypedDict

from controlpanel.contracts.results import Pruned
from controlpanel.rpc.operation import DISK_SECONDS, Queue, operation


class SavedImage(TypedDict):
    """An image and the names that it has in the archive."""

    image: int
    names: list[str]


class Removed(TypedDict, total=False):
    """One line of ``docker rmi``: either a name or an ID."""

    Untagged: str
    Deleted: str


class PrunedImages(Pruned):
    records: list[Removed]


@operation(Queue.TRANSFER, None)
def load(project: str, ticket: str, quiet: bool = False, platform: str | None = None) -> list[str]:
    """Load an archive from the ticket's body, or what in it is for ``platform`` (``os/arch[/variant]``).

    Docker's progress goes to the ticket's reply. Returns the image IDs.
    """


@operation(Queue.TRANSFER, None)
def import_(
    project: str,
    ticket: str,
    config: dict[str, Any],
    comment: str,
    name: str | None = None,
    platform: str | None = None,
) -> str:
    """Make an image of the tar in the ticket's body. Returns its ID."""


@operation(Queue.TRANSFER, None)
def save(images: list[SavedImage], ticket: str) -> None:
    """Write a docker-archive to the ticket's reply."""


@operation(Queue.LIFECYCLE)
def tag(image: int, name: str) -> None:
    """Let ``name`` mean the image."""


@operation(Queue.DISK, DISK_SECONDS)
def remove(image: int, name: str | None = None, force: bool = False, prune: bool = True) -> list[Removed]:
    """Take ``name`` from the image, and the image away when that was its last; without a name the image itself.

    Conflict when containers or children hold it.
    """


@operation(Queue.DISK, DISK_SECONDS)
def prune(project: str, images: list[int], dangling: bool) -> PrunedImages:
    """Remove those of the images that no container and no other image needs, with ``dangling`` no name either."""


@operation(Queue.DISK)
def layer_sizes() -> dict[str, int]:
    """Bytes of each unpacked layer by its chain id; layers that images share count once."""
