"""JSON answers in Docker's form: a newline at the end, no character set in the content type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer


class DockerJSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        """Nothing for None, as 204, 304 and empty 200 answers want it."""
        return b"" if data is None else orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)
