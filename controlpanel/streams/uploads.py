"""Which requests carry a body of unbounded size. The server hands these to the view before the body has arrived."""

from __future__ import annotations

import re

from controlpanel.rest import versions

ROUTES = (
    (b"PUT", re.compile(r"/containers/.+/archive")),
    (b"POST", re.compile(r"/images/(?:load|create)")),
    # Not built: their views say so before anything has been sent in vain.
    (b"POST", re.compile(r"/(?:build|plugins/create)")),
)


def is_upload(method: bytes, path: str) -> bool:
    """Decide from method and path, decoded as for the views; it may begin with a version."""
    _, path = versions.split(path)
    return any(method == verb and pattern.fullmatch(path) for verb, pattern in ROUTES)
