"""Which requests carry a body of unbounded size. The server hands these to the view before the body has arrived."""

from __future__ import annotations

import re

ROUTES = (
    (b"PUT", re.compile(rb"/containers/[^/]+/archive")),
    (b"POST", re.compile(rb"/images/load")),
    (b"POST", re.compile(rb"/images/create")),
)
VERSION = re.compile(rb"^/v[0-9.]+(?=/)")


def is_upload(method: bytes, uri: bytes) -> bool:
    """Decide from the request line; ``uri`` may carry a version prefix and a query."""
    path = VERSION.sub(b"", uri.partition(b"?")[0])
    return any(method == verb and pattern.fullmatch(path) for verb, pattern in ROUTES)
