"""Bad archives are refused and leave nothing in the store."""

from __future__ import annotations

import bz2
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
from engine.images.platforms import Platform
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
    "manifest is an object": (archives.files({"manifest.json": b"{}"}), "invalid manifest.json: not a list"),
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
    "tags are numbers": (_archive(archives.config([]), {}, RepoTags=[1]), "0.RepoTags: not a list of strings"),
    "a tag like an ID": (_archive(archives.config([]), {}, RepoTags=["sha256:foo"]), "refusing to create an ambiguous"),
    "a tag with a digest": (
        _archive(archives.config([]), {}, RepoTags=["a@sha256:" + "0" * 64]), "refusing to create a tag with a digest"
    ),
    "layers are a text": (_archive(archives.config([]), {}, Layers="l"), "0.Layers: not a list of strings"),
    "config has no name": (archives.files({"manifest.json": b'[{"Layers":[]}]'}), "no such file or directory"),
    "config name is a number": (archives.files({"manifest.json": b'[{"Config":1}]'}), "0.Config: not a string"),
    "index is a list": (archives.files({"index.json": b"[]"}), "invalid index.json: not an object"),
    "index is empty": (archives.files({"index.json": b"{}"}), "invalid index.json: manifests: missing"),
    "manifests are numbers": (archives.files({"index.json": b'{"manifests":[1]}'}), "manifests.0: not an object"),
    "platform is a text": (
        archives.files({"index.json": b'{"manifests":[{"platform":"linux"}]}'}), "manifests.0.platform: not an object"
    ),
    "annotations are numbers": (
        archives.files({"index.json": b'{"manifests":[{"annotations":{"a":1}}]}'}),
        "manifests.0.annotations.a: not a string",
    ),
    "manifest is compressed": (
        archives.files({"manifest.json": gzip.compress(b"[]")}), "invalid manifest.json: it is compressed"
    ),
    "manifest has a NUL": (archives.files({"manifest.json": b'[{"x":"\\u0000"}]'}), "a string holds a NUL character"),
    "manifest has half a character": (archives.files({"manifest.json": b'["\\ud800"]'}), "invalid manifest.json: "),
    "manifest is nested": (archives.files({"manifest.json": b"[" * 90 + b"]" * 90}), "nested more than 64 levels"),
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
    "a long name": (layer([(member("n" * 1025), b"")]), "file name too long"),
    "a link with a long name": (
        layer([(member("n" * 5000, tarfile.SYMTYPE, linkname="x"), b"")]), "file name too long"
    ),
    "a link to a long name": (layer([(member("l", tarfile.SYMTYPE, linkname="n" * 5000), b"")]), "file name too long"),
    "layer is compressed twice": (
        archives.oci_archive("app:1", [gzip.compress(BASE, mtime=0)], compress=bz2.compress), "unexpected EOF"
    ),
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


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "labels are numbers": ({"config": {"Labels": {"a": 1}}}, "config.Labels.a: not a string"),
    "labels are a list": ({"config": {"Labels": ["a"]}}, "config.Labels: not an object"),
    "labels in small letters": ({"config": {"labels": {"a": 1}}}, "config.Labels.a: not a string"),
    "config is a text": ({"config": "x"}, "config: not an object"),
    "config is a list": ({"config": []}, "config: not an object"),
    "env is a text": ({"config": {"Env": "A=1"}}, "config.Env: not a list of strings"),
    "env is numbers": ({"config": {"Env": [1]}}, "config.Env: not a list of strings"),
    "env is longer than the kernel takes": ({"config": {"Env": ["A=" + "x" * 131_070]}}, "config.Env: longer than 131"),
    "cmd is an object": ({"config": {"Cmd": {}}}, "config.Cmd: not a list of strings"),
    "entrypoint is a number": ({"config": {"Entrypoint": 1}}, "config.Entrypoint: not a list of strings"),
    "ports are a list": ({"config": {"ExposedPorts": ["80"]}}, "config.ExposedPorts: not an object"),
    "ports have values": ({"config": {"ExposedPorts": {"80": 1}}}, "config.ExposedPorts.80: not an object"),
    "ports are words": ({"config": {"ExposedPorts": {"http": {}}}}, "config.ExposedPorts: not the name of a port"),
    "ports are too high": ({"config": {"ExposedPorts": {"65536": {}}}}, "config.ExposedPorts: not the name of a port"),
    "volumes are texts": ({"config": {"Volumes": {"/v": "x"}}}, "config.Volumes./v: not an object"),
    "a volume's path is long": ({"config": {"Volumes": {"/" + "v" * 4095: {}}}}, "config.Volumes: longer than 4095"),
    "directory is long": ({"config": {"WorkingDir": "/" * (1 << 20)}}, "config.WorkingDir: longer than 4095"),
    "directory is a number": ({"config": {"WorkingDir": 1}}, "config.WorkingDir: not a string"),
    "user is a number": ({"config": {"User": 0}}, "config.User: not a string"),
    "user has many digits": ({"config": {"User": "9" * 10_000}}, "config.User: longer than 512"),
    "signal is a number": ({"config": {"StopSignal": 9}}, "config.StopSignal: not a string"),
    "timeout is a text": ({"config": {"StopTimeout": "1"}}, "config.StopTimeout: not an integer"),
    "timeout is huge": ({"config": {"StopTimeout": 2**63}}, "config.StopTimeout: not an integer"),
    "tty is a text": ({"config": {"Tty": "yes"}}, "config.Tty: not true or false"),
    "health check is a list": ({"config": {"Healthcheck": []}}, "config.Healthcheck: not an object"),
    "health check's test is numbers": ({"config": {"Healthcheck": {"Test": [1]}}}, "Healthcheck.Test: not a list of"),
    "health check's retries are texts": ({"config": {"Healthcheck": {"Retries": "1"}}}, "Healthcheck.Retries: not an"),
    "triggers are a text": ({"config": {"OnBuild": "RUN x"}}, "config.OnBuild: not a list of strings"),
    "history is an object": ({"history": {}}, "history: not a list"),
    "history is texts": ({"history": ["x"]}, "history.0: not an object"),
    "history's layer is a text": ({"history": [{"empty_layer": "no"}]}, "history.0.empty_layer: not true or false"),
    "history's time is none": ({"history": [{}, {"created": "yesterday"}]}, "history.1.created: not a time of RFC"),
    "history has no end": ({"history": [{}] * 10_001}, "history: more than 10000 entries"),
    "layers are an object": ({"rootfs": {"diff_ids": {}}}, "rootfs.diff_ids: not a list of strings"),
    "rootfs is a list": ({"rootfs": []}, "rootfs: not an object"),
    "rootfs is null": ({"rootfs": None}, "no RootFS key"),
    "created is a number": ({"created": 1}, "created: not a time of RFC 3339"),
    "created is no day": ({"created": "2024-02-30T00:00:00Z"}, "created: not a time of RFC 3339"),
    "created is long": ({"created": "2024-01-01T00:00:00." + "0" * 100 + "Z"}, "created: not a time of RFC 3339"),
    "architecture is a number": ({"architecture": 64}, "architecture: not a string"),
    "architecture is long": ({"architecture": "x" * 256}, "architecture: longer than 255"),
    "system is a list": ({"os": ["linux"]}, "os: not a string"),
    "author is an object": ({"author": {}}, "author: not a string"),
    "comment is a number": ({"comment": 1}, "comment: not a string"),
    "the old config is a text": ({"container_config": "x"}, "container_config: not an object"),
    "a NUL in a known field": ({"config": {"Env": ["A=\0"]}}, "a string holds a NUL character"),
    "a NUL in an unknown field": ({"x": {"y": ["\0"]}}, "a string holds a NUL character"),
    "a NUL in a name": ({"x\0": 1}, "a string holds a NUL character"),
    "an unknown field is deep": ({"x": json.loads("[" * 70 + "]" * 70)}, "nested more than 64 levels deep"),
    "an unknown field is wide": ({"x": [0] * 500_000}, "more than 500000 values"),
    "all is large": ({"x": ["x" * (1 << 20)] * 4}, "image JSON is larger than 4194304 bytes"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_configurations_with_wrong_fields(change: dict[str, Any], message: str, shop: Shop) -> None:
    before = shop.files()
    with pytest.raises(InvalidArgument, match=message):
        shop.load(_archive({**archives.config([]), **change}, {}))
    assert shop.files() == before


@pytest.mark.parametrize("raw", [b'{"config":{"User":"\\ud800"}}', b'{"config":{"User":"\xff"}}', b'{"x":1e999}'])
def test_configurations_that_are_no_unicode_and_no_number(raw: bytes, shop: Shop) -> None:
    with pytest.raises(InvalidArgument, match="invalid image JSON: "):
        shop.load(_archive(raw, {}))


def test_an_import_is_checked_too(shop: Shop) -> None:
    before = shop.files()
    with pytest.raises(InvalidArgument, match=r"config.Labels.a: not a string"):
        shop.store.import_(io.BytesIO(BASE), {"Labels": {"a": 1}}, shop.messages.append)
    with pytest.raises(InvalidArgument, match="operating system is not supported"):
        shop.store.import_(io.BytesIO(BASE), {}, shop.messages.append, platform=Platform("windows", "amd64"))
    assert shop.files() == before


def test_a_small_archive_does_not_ask_for_much_work(shop: Shop) -> None:
    """Four levels of indexes that name the next one a hundred times each are a hundred million images."""
    with tarfile.open(fileobj=io.BytesIO(archives.oci_archive("app:1", [BASE]))) as archive:
        content = {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]
    raw = content["index.json"]
    for _ in range(4):
        content["blobs/sha256/" + archives.digest(raw)[7:]] = raw
        raw = json.dumps({"manifests": [{"digest": archives.digest(raw)}] * 100}).encode()
    content["index.json"] = raw
    with pytest.raises(InvalidArgument, match="archive names more than 10000 images"):
        shop.load(archives.files(content))


def test_a_manifest_that_is_large_on_disk_only_is_not_read(shop: Shop) -> None:
    """Empty members: it decompresses to nothing."""
    with pytest.raises(InvalidArgument, match=r"invalid manifest.json: it is compressed"):
        shop.load(archives.files({"manifest.json": gzip.compress(b"") * 100_000}))


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
