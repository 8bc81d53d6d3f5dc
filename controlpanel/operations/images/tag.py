"""``docker tag``."""

from __future__ import annotations

from controlpanel.contracts import images
from controlpanel.objects import events
from controlpanel.operations.images import library


@images.tag.implement
def tag(image: int, name: str) -> None:
    row = library.row(image)
    library.point(name, row)
    events.publish_all([library.event(row, "tag", library.familiar(name))])
