"""Blobs by their SHA-256: image configurations and uncompressed layer tars, kept as they came so that save is exact."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from engine.archives.compression import plain
from engine.archives.limits import MIB, Budget
from engine.archives.reader import CHUNK, Readable
from engine.errors import InvalidArgument

MAX_JSON = 16 * MIB
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Blob(NamedTuple):
    """A file on its way into the store. ``received`` is the digest of the bytes as they came, ``digest`` and ``size``
    those of the decompressed file."""

    path: Path
    received: str
    digest: str
    size: int

    def json(self, what: str) -> Any:
        """The parsed content; ``what`` names the file in InvalidArgument."""
        return parse_json(self.bytes(what), what)

    def bytes(self, what: str) -> bytes:
        if self.size > MAX_JSON:
            raise InvalidArgument(f"{what} is larger than {MAX_JSON} bytes")
        return self.path.read_bytes()


def parse_json(data: bytes, what: str) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as failure:
        raise InvalidArgument(f"invalid {what}: {failure}") from None


class _Digester:
    """SHA-256 in a thread of its own: hashing releases the interpreter lock, so it overlaps with the copying."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool, self._hash = pool, hashlib.sha256()
        self._pending: Future[None] | None = None

    def update(self, data: bytes) -> None:
        self._wait()
        self._pending = self._pool.submit(self._hash.update, data)

    def digest(self) -> str:
        self._wait()
        return "sha256:" + self._hash.hexdigest()

    def _wait(self) -> None:
        if self._pending:
            self._pending.result()


class _Observed:
    """A stream that shows all it gives to a digester."""

    def __init__(self, stream: Readable, digester: _Digester) -> None:
        self._stream, self._digester = stream, digester

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._digester.update(data)
        return data


def receive(stream: Readable, path: Path, budget: Budget) -> Blob:
    """Write ``stream`` decompressed to the new file ``path``, hashing both forms on the way."""
    with ThreadPoolExecutor(2) as pool:
        received, unpacked = _Digester(pool), _Digester(pool)
        observed = _Observed(stream, received)
        source, was_compressed = plain(observed)
        size = _copy(source, path, budget, unpacked if was_compressed else None)
        while observed.read(CHUNK):
            pass
        outer = received.digest()
        return Blob(path, outer, unpacked.digest() if was_compressed else outer, size)


def _copy(source: Readable, path: Path, budget: Budget, digester: _Digester | None) -> int:
    size = 0
    with path.open("xb", buffering=0) as out:
        while data := source.read(CHUNK):
            budget.spend(len(data))
            if digester:
                digester.update(data)
            rest = memoryview(data)
            while rest:
                rest = rest[out.write(rest) or 0 :]
            size += len(data)
    return size


class ContentStore:
    """The directory ``content/sha256``: one file for each digest, complete or absent."""

    def __init__(self, root: Path) -> None:
        self._root = root / "sha256"

    def prepare(self) -> None:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, blob_digest: str) -> Path:
        return self._root / blob_digest.removeprefix("sha256:")

    def adopt(self, blob: Blob) -> None:
        """Take over a received file, whose bytes must be on disk already; a blob that is here stays."""
        if not self.path(blob.digest).exists():
            blob.path.rename(self.path(blob.digest))

    def digests(self) -> set[str]:
        return {f"sha256:{path.name}" for path in self._root.iterdir()}
