"""Unpacked layers: one directory for each layer chain, named so short that 125 of them fit into one mount(2) option."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from engine.archives.compression import plain
from engine.archives.extraction import Policy, extract
from engine.archives.limits import Limits
from engine.images.content import Blob
from engine.images.progress import Meter, Progress

_POLICY = Policy(whiteouts=True, unique=True, top=True)
_BUFFER = 1 << 20
_NAME_LENGTH = 26
_SHORT_ID = slice(len("sha256:"), len("sha256:") + 12)


def chain_ids(diff_ids: Iterable[str]) -> tuple[str, ...]:
    """Directory names for a stack of layers, lowest first: the beginnings of their chain IDs (OCI image-spec, config).

    A layer's directory depends on all below it, because one overlay must not have the same directory twice.
    """
    names: list[str] = []
    chain = ""
    for diff_id in diff_ids:
        chain = f"sha256:{hashlib.sha256(f'{chain} {diff_id}'.encode()).hexdigest()}" if chain else diff_id
        names.append(chain.removeprefix("sha256:")[:_NAME_LENGTH])
    return tuple(names)


def unpack(blob: Blob, directory: Path, limits: Limits, progress: Progress) -> int:
    """Unpack a layer into the new ``directory``; returns the sum of its files' sizes."""
    directory.mkdir(mode=0o755)
    os.chmod(directory, 0o755)  # noqa: PTH101 -- whatever the umask is
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with blob.path.open("rb", buffering=_BUFFER) as stream:
            meter = Meter(stream, progress, blob.plain[_SHORT_ID], blob.path.stat().st_size)
            # Once at most: what a layer decompresses to is what its diff ID is of, whatever that looks like.
            source = meter if blob.stored == blob.plain else plain(meter).stream
            size = extract(source, root, _POLICY, limits)
            meter.finish()
            return size
    finally:
        os.close(root)
