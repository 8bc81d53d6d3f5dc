"""Small images for tests, made of Debian's static busybox: no registry, no Docker, no network.

A layer is the bytes of an uncompressed tar. ``docker_archive`` and ``oci_archive`` wrap layers and a configuration into
what ``docker save`` (20.10 and 25+) and ``skopeo copy oci-archive:`` write.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import platform
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

BUSYBOX = Path("/bin/busybox")
CREATED = "2024-01-01T00:00:00Z"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
DIRECTORIES = ("bin", "dev", "etc", "home", "proc", "root", "sbin", "sys", "tmp", "usr", "usr/bin", "usr/sbin", "var")
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
GROUP = b"root:x:0:\nnogroup:x:65534:\n"


def member(name: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, **fields: Any) -> tarfile.TarInfo:
    """A tar header; ``fields`` are attributes of TarInfo (``linkname``, ``uid``, ``devmajor``, ``pax_headers`` …)."""
    info = tarfile.TarInfo(name)
    info.type, info.mode = kind, mode
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def layer(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A tar of ``(header, content)`` in the given order, names untouched (``..`` and ``/`` stay as they are)."""
    out = io.BytesIO()
    for info, content in members:
        info.size = len(content)
        out.write(info.tobuf(tarfile.PAX_FORMAT) + content + bytes(-len(content) % 512))
    out.write(bytes(1024))
    return out.getvalue()


def files(content: Mapping[str, bytes], mode: int = 0o644) -> bytes:
    """A layer of plain files."""
    return layer([(member(name, mode=mode), data) for name, data in content.items()])


@functools.cache
def busybox_layer() -> bytes:
    """A root file system: /bin/busybox, one symbolic link for each applet, passwd and group."""
    applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    members = [(member(name, tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755), b"") for name in DIRECTORIES]
    members.append((member("bin/busybox", mode=0o755), BUSYBOX.read_bytes()))
    members += [
        (member(f"bin/{applet}", tarfile.SYMTYPE, 0o777, linkname="busybox"), b"")
        for applet in applets
        if applet != "busybox"
    ]
    members += [(member("etc/passwd"), PASSWD), (member("etc/group"), GROUP)]
    return layer(members)


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def config(layers: Sequence[bytes], **settings: Any) -> dict[str, Any]:
    """An image configuration for uncompressed ``layers``; ``settings`` go into its ``config`` (``Cmd``, ``Env`` …)."""
    defaults = {"Cmd": ["sh"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
    return {
        "architecture": ARCHITECTURE,
        "os": "linux",
        "created": CREATED,
        "config": {**defaults, **settings},
        "rootfs": {"type": "layers", "diff_ids": [digest(each) for each in layers]},
        "history": [{"created": CREATED, "created_by": f"layer {number}"} for number, _ in enumerate(layers)],
    }


def _pack(content: Mapping[str, bytes]) -> bytes:
    return files(content)


def docker_archive(
    references: Sequence[str], layers: Sequence[bytes], settings: Mapping[str, Any] | None = None
) -> bytes:
    """What ``docker save`` of 20.10 writes: layers first, manifest.json last."""
    raw = json.dumps(config(layers, **(settings or {}))).encode()
    name = digest(raw).removeprefix("sha256:")
    content: dict[str, bytes] = {}
    paths = []
    for number, data in enumerate(layers):
        directory = hashlib.sha256(f"{number}{name}".encode()).hexdigest()
        content |= {f"{directory}/VERSION": b"1.0", f"{directory}/json": b"{}", f"{directory}/layer.tar": data}
        paths.append(f"{directory}/layer.tar")
    manifest = [{"Config": f"{name}.json", "RepoTags": list(references), "Layers": paths}]
    content |= {f"{name}.json": raw, "manifest.json": json.dumps(manifest).encode()}
    return _pack(content)


def oci_archive(
    reference: str,
    layers: Sequence[bytes],
    settings: Mapping[str, Any] | None = None,
    *,
    compress: Any = None,
    docker_manifest: bool = False,
) -> bytes:
    """An OCI image layout; ``compress`` is applied to each layer, ``docker_manifest`` as ``docker save`` 25+ has it."""
    raw = json.dumps(config(layers, **(settings or {}))).encode()
    stored = [compress(data) if compress else data for data in layers]
    kind = "application/vnd.oci.image."
    suffix = "+gzip" if compress else ""
    manifest = json.dumps({
        "schemaVersion": 2,
        "mediaType": kind + "manifest.v1+json",
        "config": {"mediaType": kind + "config.v1+json", "digest": digest(raw), "size": len(raw)},
        "layers": [
            {"mediaType": f"{kind}layer.v1.tar{suffix}", "digest": digest(data), "size": len(data)} for data in stored
        ],
    }).encode()  # fmt: skip
    annotations = {"org.opencontainers.image.ref.name": reference, "io.containerd.image.name": reference}
    descriptor = {"mediaType": kind + "manifest.v1+json", "digest": digest(manifest), "size": len(manifest)}
    index = {"schemaVersion": 2, "manifests": [{**descriptor, "annotations": annotations}]}
    blobs = {_blob(data): data for data in (*stored, raw, manifest)}
    content = {**blobs, "index.json": json.dumps(index).encode(), "oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    if docker_manifest:
        entry = {"Config": _blob(raw), "RepoTags": [reference], "Layers": [_blob(data) for data in stored]}
        content["manifest.json"] = json.dumps([entry]).encode()
    return _pack(content)


def _blob(data: bytes) -> str:
    return digest(data).replace("sha256:", "blobs/sha256/")


def busybox_archive(reference: str = "busybox:latest", **settings: Any) -> bytes:
    """The starter image as a docker-archive: what most tests load."""
    return docker_archive([reference], [busybox_layer()], settings)
