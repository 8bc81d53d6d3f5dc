"""What a view says of its methods, for the API's document (OpenAPI 3; `schema` makes it).

    operations = {"GET": Operation("List volumes", query=(FILTERS,), answer=VolumeList)}

Nothing here is asked while a request is served. Bodies and answers are types: a TypedDict becomes an object of its
own in the document, and a text names a media type (several are a tuple of them) whose bytes have no shape that JSON
Schema could tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypedDict, TypeVar

T = TypeVar("T")

TAR = "application/x-tar"
LINES = "application/json"  # JSON values, one after the other, for as long as the answer lasts
TEXT = "text/plain"
# What a terminal shows, or what stdout and stderr say, each piece behind a header of eight bytes.
STDIO = ("application/vnd.docker.raw-stream", "application/vnd.docker.multiplexed-stream")


class Mark(NamedTuple):
    """Told of a type by ``Annotated``."""

    name: str


PARTIAL = Mark("Partial")
# An object of which any field may be missing or null, in a request or in an answer.
Partial = Annotated[T, PARTIAL]


class Parameter(NamedTuple):
    """A query parameter; ``many`` for one that may be given several times."""

    name: str
    kind: Literal["boolean", "integer", "number", "string"]
    text: str
    required: bool = False
    many: bool = False


class Operation(NamedTuple):
    """One method of a path.

    ``answer`` is what comes with ``status``, None for nothing; ``others`` are statuses without a body, by their
    meaning. ``endless`` is an answer that may last as long as the container, or for ever.
    """

    summary: str
    query: tuple[Parameter, ...] = ()
    body: Any = None
    status: int = 200
    answer: Any = None
    others: Mapping[int, str] = {}
    endless: bool = False


class Message(TypedDict):
    """Every error."""

    message: str


def flag(name: str, text: str) -> Parameter:
    return Parameter(name, "boolean", text)


def integer(name: str, text: str, *, required: bool = False) -> Parameter:
    return Parameter(name, "integer", text, required)


def word(name: str, text: str, *, required: bool = False, many: bool = False) -> Parameter:
    return Parameter(name, "string", text, required, many)


def moment(name: str, text: str) -> Parameter:
    return Parameter(name, "number", f"{text}, in seconds since 1970")


def filters(*keys: str) -> Parameter:
    """Docker's ``filters``: a JSON object in a text."""
    return word("filters", f"JSON object of lists of texts, by {', '.join(sorted(keys))}")


PLATFORM = word("platform", "a JSON object with os, architecture and variant")
# Of a terminal, in characters.
SIZE = (integer("h", "height", required=True), integer("w", "width", required=True))
