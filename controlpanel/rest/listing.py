"""What the lists of containers have in common, Docker's and the page's."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from controlpanel.access.scope import Scope
from engine.errors import InvalidArgument
from engine.images import references


class Made(Protocol):
    """``created_at`` is RFC3339Nano."""

    @property
    def created_at(self) -> str: ...


Row = TypeVar("Row", bound=Made)


def newest_first(rows: Iterable[Row]) -> list[Row]:
    """Not for the database: without its Z a time with a shorter fraction sorts before one with a longer."""
    return sorted(rows, key=lambda row: row.created_at[:-1], reverse=True)


def image_names(scope: Scope) -> dict[str, str]:
    """Image IDs by canonical reference."""
    return dict(scope.references().values_list("name", "image__image_id"))


def shown_image(name: str, image_id: str, names: Mapping[str, str]) -> str:
    """The name that a container was made from while it still means that image, else the image's ID."""
    if image_id.removeprefix("sha256:").startswith(name.removeprefix("sha256:")):
        return name
    return name if names.get(_canonical(name)) == image_id else image_id


@functools.lru_cache(maxsize=1024)
def _canonical(name: str) -> str:
    """The whole name of an image; empty for what is no name. Many containers share few images."""
    try:
        return references.parse(name).canonical
    except InvalidArgument:
        return ""
