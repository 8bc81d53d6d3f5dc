"""``docker tag``."""

from __future__ import annotations

from controlpanel.objects import events
from controlpanel.operations.images import library
from controlpanel.rpc.worker import operation
from engine.errors import InvalidArgument
from engine.images import references


@operation("images.tag")
def tag(name: str, reference: str) -> None:
    """Let ``reference`` mean the image that ``name`` means."""
    image = library.find(name)
    wanted = references.parse(reference)
    if wanted.digest:
        raise InvalidArgument("refusing to create a tag with a digest reference")
    library.point(wanted.canonical, image)
    events.publish_all([library.event(image, "tag", wanted.familiar)])
