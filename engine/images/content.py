"""Blobs by their SHA-256: image configurations and layer tars, kept as they came so that save is exact."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from io import RawIOBase
from pathlib import Path
from typing import NamedTuple

from engine.archives.compression import MAX_MAGIC, encoding_of, plain
from engine.archives.limits import MIB, Budget
from engine.archives.reader import CHUNK, Readable
from engine.errors import InvalidArgument

MAX_JSON = 16 * MIB
_KEPT = ("", "gzip", "zstd")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Blob(NamedTuple):
    """A file on its way into the store.

    ``received`` is the digest of the bytes as they came, ``stored`` that of the file at ``path``; ``plain``, ``size``
    belong to its decompressed content. Of a layer ``plain`` is the diff ID.
    """

    path: Path
    received: str
    stored: str
    plain: str
    size: int

    @classmethod
    def of(cls, path: Path, data: bytes) -> Blob:
        """Write ``data`` to the new file ``path``."""
        path.write_bytes(data)
        return cls(path, digest(data), digest(data), digest(data), len(data))

    def content(self, what: str) -> bytes:
        """All of a small file; ``what`` names it in InvalidArgument."""
        if self.plain != self.received:
            raise InvalidArgument(f"invalid {what}: it is compressed")
        if self.size > MAX_JSON:
            raise InvalidArgument(f"{what} is larger than {MAX_JSON} bytes")
        return self.path.read_bytes()


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


class _Copied:
    """A stream that writes all it gives to a file and shows it to a digester."""

    def __init__(self, stream: Readable, out: RawIOBase, digester: _Digester, budget: Budget) -> None:
        self._stream, self._out = stream, out
        self._digester, self._budget = digester, budget

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._budget.spend(len(data))
        self._digester.update(data)
        _write(self._out, data)
        return data


def receive(stream: Readable, path: Path, budget: Budget) -> Blob:
    """Write ``stream`` to the new file ``path`` as it comes, hashing it and what it decompresses to on the way.

    Registries know gzip and zstd only, so what is compressed otherwise is stored decompressed.
    """
    with ThreadPoolExecutor(2) as pool, path.open("xb", buffering=0) as file:
        received, unpacked = _Digester(pool), _Digester(pool)
        copied = _Copied(stream, file, received, budget)
        source, encoding = plain(copied)
        other = path.with_suffix(".plain") if encoding not in _KEPT else None
        size = _unpack(source, unpacked if encoding else None, other, budget)
        while copied.read(CHUNK):
            pass
        came = received.digest()
        content = unpacked.digest() if encoding else came
    if other is None:
        return Blob(path, came, came, content, size)
    path.unlink()
    return Blob(other, came, content, content, size)


def _unpack(source: Readable, digester: _Digester | None, path: Path | None, budget: Budget) -> int:
    """Read to the end; hash and write only where asked. Returns the number of bytes."""
    size = 0
    with path.open("xb", buffering=0) if path else nullcontext() as out:
        while data := source.read(CHUNK):
            size += len(data)
            if digester:
                budget.spend(len(data))
                digester.update(data)
            if out:
                _write(out, data)
    return size


def _write(out: RawIOBase, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[out.write(rest) or 0 :]


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
        if not self.path(blob.stored).exists():
            blob.path.rename(self.path(blob.stored))

    def layer_type(self, blob_digest: str) -> str:
        """The end of a stored layer's OCI media type: ``layer.v1.tar``, ``layer.v1.tar+gzip`` or ``…+zstd``."""
        with self.path(blob_digest).open("rb") as file:
            encoding = encoding_of(file.read(MAX_MAGIC))
        return f"layer.v1.tar+{encoding}" if encoding else "layer.v1.tar"

    def digests(self) -> set[str]:
        return {f"sha256:{path.name}" for path in self._root.iterdir()}
