"""The whole document."""

from __future__ import annotations

from typing import Any, cast

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings

from controlpanel.rest import versions

DESCRIPTION = """\
Docker's Engine API, and what Muelle's web page needs besides (`/panel/`).

Paths of the Engine API may begin with a version, `/v1.51/containers/json`; without one the newest is meant. What other
Docker engines serve and Muelle does not build yet answers 501 and is not in this document. Nor are the endpoints that
become WebSockets: `/containers/{reference}/attach/ws` and `/panel/socket`.

A boolean parameter is false when it is missing, empty, `0`, `no`, `false` or `none`, and true otherwise. Field names of
a body match in any case, unknown ones are ignored, and null is as good as a field that is missing.
"""
SETTINGS = {
    "OAS_VERSION": "3.1.1",
    "TITLE": "Muelle",
    "VERSION": versions.MUELLE,
    "DESCRIPTION": DESCRIPTION,
    "SCHEMA_PATH_PREFIX": "",
    "POSTPROCESSING_HOOKS": [],
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
        }
    },
}


class Generator(SchemaGenerator):
    """Paths without the slash that some may end in as well."""

    def coerce_path(self, path: str, method: str, view: Any) -> str:
        return str(super().coerce_path(path, method, view)).rstrip("/")  # type: ignore[no-untyped-call]


def document() -> dict[str, Any]:
    """OpenAPI 3.1, as a value for JSON."""
    with patched_settings(SETTINGS):
        generator = Generator(urlconf="controlpanel.urls")  # type: ignore[no-untyped-call]
        return cast("dict[str, Any]", generator.get_schema(public=True))  # type: ignore[no-untyped-call]
