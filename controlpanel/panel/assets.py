"""The built page in memory: a few files, looked up in a dictionary, so no request ever names a path of the disk."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.http import HttpResponse, HttpResponseNotModified

if TYPE_CHECKING:
    from django.http import HttpRequest

INDEX = "index.html"
# Vite puts a digest of the content into these files' names.
HASHED = "assets/"
COMPRESSIBLE = {"text/html", "text/css", "text/javascript", "image/svg+xml", "application/json"}
COMPRESSION_LEVEL = 6


class Asset(NamedTuple):
    """One file, plain and (where it pays) compressed."""

    body: bytes
    compressed: bytes | None
    content_type: str
    etag: str
    cache: str


def find(name: str) -> Asset | None:
    """The built file ``name``, or None. A new build is noticed by the time of its index."""
    directory = Path(settings.CHECKOUT) / "frontend" / "web" / "dist"
    try:
        built = (directory / INDEX).stat().st_mtime_ns
    except FileNotFoundError:
        return None
    return _load(directory, built).get(name)


def respond(request: HttpRequest, asset: Asset) -> HttpResponse:
    """The asset with validators; 304 for a browser that has it."""
    if asset.etag in request.headers.get("If-None-Match", ""):
        response: HttpResponse = HttpResponseNotModified()
    elif asset.compressed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        response = HttpResponse(asset.compressed, content_type=asset.content_type)
        response["Content-Encoding"] = "gzip"
    else:
        response = HttpResponse(asset.body, content_type=asset.content_type)
    response["ETag"] = asset.etag
    response["Cache-Control"] = asset.cache
    response["Vary"] = "Accept-Encoding"
    return response


@lru_cache(maxsize=1)
def _load(directory: Path, built: int) -> dict[str, Asset]:
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {str(path.relative_to(directory)): _read(path, path.relative_to(directory)) for path in files}


def _read(path: Path, name: Path) -> Asset:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    compressed = gzip.compress(body, COMPRESSION_LEVEL, mtime=0) if kind in COMPRESSIBLE else None
    cache = "public, max-age=31536000, immutable" if str(name).startswith(HASHED) else "no-cache"
    content_type = f"{kind}; charset=utf-8" if kind in COMPRESSIBLE else kind
    return Asset(body, compressed, content_type, f'"{hashlib.sha256(body).hexdigest()[:24]}"', cache)
