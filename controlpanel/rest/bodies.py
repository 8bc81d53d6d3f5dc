"""JSON request bodies, with Docker's refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from controlpanel.server.limits import Limits
from engine.errors import InvalidArgument

if TYPE_CHECKING:
    from django.http import HttpRequest

# Of one byte more the API can tell that it is too much; of more than that the server does.
MAX_BODY = Limits().body - 1
MEDIA_TYPE = "application/json"


def read(request: HttpRequest, *, required: bool = True, limit: int = MAX_BODY) -> Any:
    """The request's JSON value; ``{}`` for an empty body that is not ``required``.

    Raises InvalidArgument for another content type, for more than ``limit`` bytes, and for what is not one JSON value.
    """
    data = _bytes(request, limit)
    content_type = request.META.get("CONTENT_TYPE", "")
    if content_type.partition(";")[0].strip().lower() != MEDIA_TYPE and (data or content_type):
        if not data and not required:
            return {}
        raise InvalidArgument(f"unsupported Content-Type header ({content_type}): must be 'application/json'")
    if not data.strip():
        if required:
            raise InvalidArgument("invalid JSON: got EOF while reading request body")
        return {}
    return load(data)


def read_object(request: HttpRequest, *, required: bool = True, limit: int = MAX_BODY) -> dict[str, Any]:
    """The same, where only an object will do."""
    value = read(request, required=required, limit=limit)
    if not isinstance(value, dict):
        raise InvalidArgument("invalid JSON: want an object")
    return value


def load(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"invalid JSON: {error}") from None


def _bytes(request: HttpRequest, limit: int) -> bytes:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > limit:
        raise InvalidArgument("invalid JSON: the request body is too large")
    data = request.read(limit + 1)
    if len(data) > limit:
        raise InvalidArgument("invalid JSON: the request body is too large")
    return data
