"""Bad archives are refused and leave nothing in the store."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.archives.limits import Limits
from engine.errors import InvalidArgument, MuelleError, SystemFailure
from engine.images.store import ImageStore
from tests.engine.images.shop import BASE, TOP, Shop
from tests.support import archives
from tests.support.archives import layer, member

pytestmark = pytest.mark.kernel


def _archive(config: Any, layers: dict[str, bytes], **item: Any) -> bytes:
    manifest = [{"Config": "c.json", "RepoTags": ["p:1"], "Layers": list(layers), **item}]
    raw = config if isinstance(config, bytes) else json.dumps(config).encode()
    return archives.files({"c.json": raw, **layers, "manifest.json": json.dumps(manifest).encode()})


def _oci(change: Callable[[dict[str, bytes]], object]) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archives.oci_archive("app:1", [BASE]))) as archive:
        content = {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]
    change(content)
    return archives.files(content)


def _forge(content: dict[str, bytes]) -> None:
    """Other bytes under the digest of the layer."""
    content["blobs/sha256/" + archives.digest(BASE)[7:]] = TOP


def _cycle(content: dict[str, bytes]) -> None:
    raw = content["index.json"]
    for _ in range(8):
        kind = "application/vnd.oci.image.index.v1+json"
        content["blobs/sha256/" + archives.digest(raw)[7:]] = raw
        raw = json.dumps(
            {"manifests": [{"mediaType": kind, "digest": archives.digest(raw), "size": len(raw)}]}
        ).encode()
    content["index.json"] = raw


GOOD = archives.docker_archive(["app:1"], [BASE, TOP])
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "archive holds no image"),
    "noise": (b"nonsense" * 1000, "archive/tar: invalid tar header"),
    "cut": (GOOD[: len(GOOD) // 2 + 100], "unexpected EOF"),
    "cut gzip": (gzip.compress(GOOD)[:300], "unexpected EOF"),
    "no manifest": (archives.files({"x": b"1"}), "archive holds no image"),
    "manifest is no JSON": (archives.files({"manifest.json": b"{"}), "invalid manifest.json"),
    "manifest is deep": (archives.files({"manifest.json": b"[" * 100_000}), "invalid manifest.json"),
    "manifest is huge": (archives.files({"manifest.json": b" " * (17 << 20)}), "manifest.json is larger than"),
    "manifest is an object": (archives.files({"manifest.json": b"{}"}), "not a list of images"),
    "items are numbers": (archives.files({"manifest.json": b"[1]"}), "not an object"),
    "config is missing": (archives.files({"manifest.json": b'[{"Config":"c"}]'}), "open c: no such file or directory"),
    "config is outside": (
        archives.files({"manifest.json": b'[{"Config":"../../../../etc/passwd"}]'}),
        "no such file or directory",
    ),
    "config is no JSON": (_archive(b"xx", {}), "invalid image JSON"),
    "config is a list": (_archive([], {}), "invalid image JSON"),
    "no rootfs": (_archive({}, {}), "invalid image JSON, no RootFS key"),
    "other system": (_archive({**archives.config([]), "os": "windows"}, {}), "cannot load windows image on linux"),
    "bad tag": (_archive(archives.config([]), {}, RepoTags=["P:1"]), "repository name .library/P. must be lowercase"),
    "tags are numbers": (_archive(archives.config([]), {}, RepoTags=[1]), "not a list of strings"),
    "layer is missing": (_archive(archives.config([BASE]), {}, Layers=["l"]), "open l: no such file or directory"),
    "fewer layers": (_archive(archives.config([BASE]), {}), "layers length mismatch: expected 0, got 1"),
    "too many layers": (_archive(archives.config([BASE] * 126), {"l": BASE}, Layers=["l"] * 126), "max depth exceeded"),
    "wrong digest": (
        _archive(archives.config([BASE]), {"l": TOP}),
        f'invalid diffID for layer 0: expected "{archives.digest(BASE)}", got "{archives.digest(TOP)}"',
    ),
    "layer is noise": (_archive(archives.config([b"garbage" * 200]), {"l": b"garbage" * 200}), "invalid tar header"),
    "layer is cut": (_archive(archives.config([BASE[:700]]), {"l": BASE[:700]}), "unexpected EOF"),
    "layer has duplicates": (
        archives.docker_archive([], [BASE, layer([(member("x"), b"1"), (member("x"), b"2")])]),
        "duplicates of file paths not supported",
    ),
    "layer links outside": (
        archives.docker_archive([], [layer([(member("h", tarfile.LNKTYPE, linkname="../../../etc/passwd"), b"")])]),
        "link /etc/passwd /h: no such file or directory",
    ),
    "layer is a link to the host": (
        layer([
            (member("c.json"), json.dumps(archives.config([BASE])).encode()),
            (member("l", tarfile.SYMTYPE, linkname="/etc/passwd"), b""),
            (member("manifest.json"), b'[{"Config":"c.json","Layers":["l"]}]'),
        ]),
        "open l: no such file or directory",
    ),
    "links in a circle": (
        layer([
            (member("a", tarfile.SYMTYPE, linkname="b"), b""),
            (member("b", tarfile.SYMTYPE, linkname="a"), b""),
            (member("manifest.json"), b'[{"Config":"a"}]'),
        ]),
        "open a: no such file or directory",
    ),
    "blob has another digest": (_oci(_forge), "does not match"),
    "blob is missing": (_oci(lambda files: files.pop("blobs/sha256/" + archives.digest(BASE)[7:])), "not found"),
    "indexes without end": (_oci(_cycle), "nested too deeply"),
    "digest is a path": (
        archives.files({"index.json": b'{"manifests":[{"digest":"sha256:../../../../etc/passwd"}]}'}),
        "invalid checksum digest format",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_bad_archives_leave_nothing(data: bytes, message: str, shop: Shop) -> None:
    shop.load(archives.docker_archive(["app:0"], [TOP]))
    before = shop.files()
    with pytest.raises(InvalidArgument, match=message):
        shop.load(data)
    assert shop.files() == before


def test_a_bad_import_leaves_nothing(shop: Shop) -> None:
    with pytest.raises(InvalidArgument, match=r"^unexpected EOF$"):
        shop.store.import_(io.BytesIO(BASE[:700]), {}, shop.messages.append)
    assert shop.store.image_ids() == []
    assert not list((shop.root / "layers").iterdir())


@pytest.mark.parametrize(
    ("limits", "kind", "message"),
    [
        (Limits(size=1 << 20, reserve=0), InvalidArgument, "unpacks to more than"),
        (Limits(entries=2, reserve=0), InvalidArgument, "more than 2 entries"),
        (Limits(reserve=1 << 60), SystemFailure, "no space left on device"),
    ],
)
def test_bombs_leave_nothing(limits: Limits, kind: type[MuelleError], message: str, tmp_path: Path) -> None:
    bomb = archives.docker_archive([], [archives.files({"zeros": bytes(8 << 20)})])
    store = ImageStore(tmp_path / "images", limits)
    with pytest.raises(kind, match=message):
        store.load(io.BytesIO(gzip.compress(bomb)), print)
    for directory in ("layers", "records", "content/sha256", "tmp"):
        assert not list((tmp_path / "images" / directory).iterdir())
