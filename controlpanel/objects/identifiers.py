"""How objects are named by whoever asks: a whole ID, a name, or the beginning of an ID.

Names are unique per node and project, and a look-up sees only the rows that its caller may see. Of several rows with
the name, the one of the caller's own project (``home``) is meant; without such a one the name is ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from django.db.models import Case, Q, QuerySet, When

if TYPE_CHECKING:
    from controlpanel.objects.models import Container, Network

HEXADECIMAL = re.compile(r"[0-9a-f]{1,64}")
NUL = "\0"  # in no name and no ID; PostgreSQL refuses to be asked for a text that holds it
ID_LENGTH = 64
# One of each kind of match and one more tell whether a reference is ambiguous.
ENOUGH = 8


class Owned(Protocol):
    project_id: str


AnyOwned = TypeVar("AnyOwned", bound=Owned)
AnyIdentified = TypeVar("AnyIdentified", "Container", "Network")


def is_id_prefix(text: str) -> bool:
    """Only lower-case hexadecimal digits can begin an ID; anything else needs no query."""
    return HEXADECIMAL.fullmatch(text) is not None


def is_whole_id(text: str) -> bool:
    return len(text) == ID_LENGTH and is_id_prefix(text)


def upper_bound(prefix: str) -> str:
    """The first text above every ID with this prefix: ``LIKE`` is no use to SQLite's indices, a range is."""
    return prefix + "g"


def nearest(name: str, home: str) -> Case:
    """The order in which matches are read: what is meant comes first, however many others there are to cut off."""
    named = Q(name=name)
    return Case(When(named & Q(project_id=home), then=0), When(named, then=1), default=2)


def at_home(rows: Iterable[AnyOwned], home: str) -> Sequence[AnyOwned]:
    """Of rows that share a name or an ID, the one of the project ``home``; all of them when none is there."""
    found = list(rows)
    return [row for row in found if row.project_id == home] or found


def meant(rows: QuerySet[AnyIdentified], reference: str, name: str, home: str) -> Sequence[AnyIdentified]:
    """What a reference means, by its ``name`` or as the beginning of an ID: one row, or several, or none. One query."""
    wanted = Q(name=name)
    if is_id_prefix(reference):
        wanted |= Q(id__gte=reference, id__lt=upper_bound(reference))
    found = list(rows.filter(wanted).order_by(nearest(name, home))[:ENOUGH])
    whole = [row for row in found if row.id == reference]
    return whole or at_home((row for row in found if row.name == name), home) or found
