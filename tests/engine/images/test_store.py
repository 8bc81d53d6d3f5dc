"""The image store: what real programs write goes in and comes out; bad archives and crashes leave nothing."""

from __future__ import annotations

import bz2
import dataclasses
import gzip
import hashlib
import io
import json
import lzma
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from engine.archives.limits import Limits
from engine.errors import InvalidArgument, MuelleError, NotFound, SystemFailure
from engine.images.layers import chain_ids
from engine.images.store import ImageStore, LoadedImage, SavedImage
from tests.support import archives
from tests.support.archives import layer, member

pytestmark = pytest.mark.kernel
TOP = archives.files({"top": b"top"})
BASE = archives.files({"base": b"base", "dir/file": b"1234"})
NAME = "docker.io/library/app:1"


@dataclasses.dataclass
class Shop:
    """A store with the files it holds, and its progress messages."""

    root: Path
    store: ImageStore
    messages: list[dict[str, Any]]

    def load(self, data: bytes) -> list[LoadedImage]:
        return self.store.load(io.BytesIO(data), self.messages.append)

    def save(self, *images: SavedImage) -> bytes:
        out = io.BytesIO()
        self.store.save(list(images), out)
        return out.getvalue()

    def files(self) -> set[str]:
        return {path.relative_to(self.root).as_posix() for path in self.root.glob("*/**")} | {
            path.relative_to(self.root).as_posix() for path in self.root.glob("content/sha256/*")
        } | {path.relative_to(self.root).as_posix() for path in self.root.glob("records/*")}  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    root = tmp_path / "images"
    yield Shop(root, ImageStore(root), [])
    assert not list((root / "tmp").iterdir())


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "docker save 20.10": lambda: archives.docker_archive(["app:1"], [BASE, TOP]),
    "docker save 25": lambda: archives.oci_archive("docker.io/library/app:1", [BASE, TOP], docker_manifest=True),
    "oci layout": lambda: archives.oci_archive("app:1", [BASE, TOP]),
    "oci layout, gzip layers": lambda: archives.oci_archive("app:1", [BASE, TOP], compress=gzip.compress),
    "oci layout, zstd layers": lambda: archives.oci_archive(
        "app:1", [BASE, TOP], compress=zstandard.ZstdCompressor().compress
    ),
    "gzip outside": lambda: gzip.compress(archives.docker_archive(["app:1"], [BASE, TOP])),
    "bzip2 outside": lambda: bz2.compress(archives.docker_archive(["app:1"], [BASE, TOP])),
    "xz outside": lambda: lzma.compress(archives.docker_archive(["app:1"], [BASE, TOP])),
    "zstd outside": lambda: zstandard.ZstdCompressor().compress(archives.docker_archive(["app:1"], [BASE, TOP])),
}


@pytest.mark.parametrize("make", ARCHIVES.values(), ids=ARCHIVES)
def test_load(make: Callable[[], bytes], shop: Shop) -> None:
    [image] = shop.load(make())
    raw = json.dumps(archives.config([BASE, TOP])).encode()
    assert image.image_id == archives.digest(raw)
    assert image.references == (NAME,)
    assert image.config == json.loads(raw)
    assert (image.layer_sizes, image.size) == ((8, 3), 11)
    top, base = shop.store.layer_dirs(image.image_id)
    assert [path.rpartition("/")[2] for path in (base, top)] == list(image.layers)
    assert Path(base, "dir/file").read_bytes() == b"1234"
    assert Path(top, "top").read_bytes() == b"top"
    assert shop.store.image(image.image_id) == image._replace(references=())
    assert shop.messages[-1]["progressDetail"]["current"] == shop.messages[-1]["progressDetail"]["total"]


def test_the_layers_directory_is_the_chain(shop: Shop) -> None:
    """OCI image-spec: the chain ID of a layer is the digest of the chain ID below it and its own diff ID."""
    one, two = archives.digest(BASE), archives.digest(TOP)
    chain = hashlib.sha256(f"{one} {two}".encode()).hexdigest()
    assert chain_ids([one, two]) == (one[7:33], chain[:26])
    [image] = shop.load(archives.docker_archive(["twice:1"], [BASE, BASE]))
    assert len(set(image.layers)) == 2


@pytest.mark.parametrize("link", ["symbolic", "hard"])
def test_a_layer_that_is_a_link_to_another(link: str, shop: Shop) -> None:
    """``docker save`` 20.10 and skopeo write the second occurrence of a layer so."""
    raw = json.dumps(archives.config([BASE, BASE])).encode()
    kind, target = (tarfile.SYMTYPE, "../1/layer.tar") if link == "symbolic" else (tarfile.LNKTYPE, "1/layer.tar")
    manifest = [{"Config": "c.json", "RepoTags": None, "Layers": ["1/layer.tar", "2/layer.tar"]}]
    members = [
        (member("1/layer.tar"), BASE),
        (member("2/layer.tar", kind, linkname=target), b""),
        (member("c.json"), raw),
        (member("manifest.json"), json.dumps(manifest).encode()),
    ]
    [image] = shop.load(layer(members))
    assert image.references == ()
    assert len(shop.store.layer_dirs(image.image_id)) == 2


def test_the_platform_of_this_machine_is_chosen(shop: Shop) -> None:
    ours, other = (archives.oci_archive("app:1", [data]) for data in (BASE, TOP))
    contents = {}
    descriptors = []
    for data, platform in (
        (other, {"os": "linux", "architecture": "s390x"}),
        (ours, {"os": "linux", "architecture": archives.ARCHITECTURE}),
    ):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for info in archive:
                contents[info.name] = archive.extractfile(info).read()  # type: ignore[union-attr]
        descriptors += [{**each, "platform": platform} for each in json.loads(contents["index.json"])["manifests"]]
    attestation = {**descriptors[0], "platform": {"os": "unknown", "architecture": "unknown"}}
    nested = json.dumps({"schemaVersion": 2, "manifests": [*descriptors, attestation]}).encode()
    contents["blobs/sha256/" + archives.digest(nested)[7:]] = nested
    top = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": archives.digest(nested),
        "size": len(nested),
    }
    contents["index.json"] = json.dumps({"manifests": [top]}).encode()
    [image] = shop.load(archives.files(contents))
    assert image.config["rootfs"]["diff_ids"] == [archives.digest(BASE)]


def test_saved_archives_are_exact_and_load_again(shop: Shop, tmp_path: Path) -> None:
    [one] = shop.load(archives.docker_archive(["app:1", "app:2"], [BASE, TOP]))
    [two] = shop.load(archives.docker_archive([], [BASE], {"Cmd": ["x"]}))
    data = shop.save(SavedImage(one.image_id, one.references), SavedImage(two.image_id))
    assert data == shop.save(SavedImage(one.image_id, one.references), SavedImage(two.image_id))
    again = ImageStore(tmp_path / "second").load(io.BytesIO(data), shop.messages.append)
    assert again == [one, two]
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        names = archive.getnames()
        assert len(set(names)) == len(names)
        index = json.load(archive.extractfile("index.json"))  # type: ignore[arg-type]
    assert len(index["manifests"]) == 3


@pytest.mark.parametrize(
    ("compress", "kind"),
    [(gzip.compress, "+gzip"), (zstandard.ZstdCompressor().compress, "+zstd"), (lzma.compress, "")],
)
def test_compressed_layers_are_saved_as_they_came(compress: Callable[[bytes], bytes], kind: str, shop: Shop) -> None:
    """Except in forms that registries do not know: those are stored plain."""
    [image] = shop.load(archives.oci_archive("app:1", [BASE], compress=compress))
    kept = compress(BASE) if kind else BASE
    assert image.content_size == len(kept)
    data = shop.save(SavedImage(image.image_id, image.references))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        content = {info.name: archive.extractfile(info).read() for info in archive if info.isreg()}  # type: ignore[union-attr]
    [described] = json.loads(content["index.json"])["manifests"]
    [stored] = json.loads(content["blobs/" + described["digest"].replace(":", "/")])["layers"]
    assert stored["mediaType"] == f"application/vnd.oci.image.layer.v1.tar{kind}"
    assert content["blobs/" + stored["digest"].replace(":", "/")] == kept
    assert shop.load(data) == [image]


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_skopeo_reads_ours_and_we_read_skopeo(form: str, shop: Shop, tmp_path: Path) -> None:
    [image] = shop.load(archives.docker_archive(["app:1"], [BASE, TOP]))
    (tmp_path / "ours.tar").write_bytes(shop.save(SavedImage(image.image_id, image.references)))
    copy = [
        "skopeo",
        "copy",
        "--insecure-policy",
        f"docker-archive:{tmp_path}/ours.tar",
        f"{form}:{tmp_path}/theirs.tar:app:1",
    ]
    subprocess.run(copy, check=True, capture_output=True)
    [again] = shop.load((tmp_path / "theirs.tar").read_bytes())
    assert (again.references, again.layers) == ((NAME,), image.layers)


def test_import(shop: Shop) -> None:
    image = shop.store.import_(io.BytesIO(gzip.compress(BASE)), {"Cmd": ["/bin/sh"]}, shop.messages.append)
    assert image.config["config"] == {"Cmd": ["/bin/sh"]}
    assert image.config["rootfs"]["diff_ids"] == [archives.digest(BASE)]
    assert (image.config["history"][0]["comment"], image.config["os"]) == ("Imported from -", "linux")
    assert shop.store.config(image.image_id) == image.config


# What is shared, and what goes


def test_shared_layers_stay_until_the_last_image_goes(shop: Shop) -> None:
    [one] = shop.load(archives.docker_archive(["one:1"], [BASE, TOP]))
    [two] = shop.load(archives.docker_archive(["two:1"], [BASE]))
    assert len(shop.store.layer_sizes()) == 2
    shop.store.delete(one.image_id)
    assert shop.store.image_ids() == [two.image_id]
    assert {path.name for path in (shop.root / "layers").iterdir()} == set(two.layers)
    shop.store.delete(two.image_id)
    shop.store.delete(two.image_id)
    for directory in ("layers", "records", "content/sha256"):
        assert not list((shop.root / directory).iterdir())
    with pytest.raises(NotFound, match=r"^No such image: sha256:"):
        shop.store.layer_dirs(two.image_id)


def test_gc_keeps_what_is_named(shop: Shop) -> None:
    [one] = shop.load(archives.docker_archive(["one:1"], [BASE]))
    shop.load(archives.docker_archive(["two:1"], [TOP]))
    shop.store.gc()
    assert len(shop.store.image_ids()) == 2
    shop.store.gc({one.image_id})
    assert shop.store.image_ids() == [one.image_id]


def test_two_images_of_one_archive(shop: Shop) -> None:
    data = shop.save(
        *(
            SavedImage(shop.load(archives.docker_archive([name], [BASE, top]))[0].image_id, (name,))
            for name, top in (("one:1", TOP), ("two:1", BASE))
        )
    )
    shop.store.gc(())
    assert [image.references[0] for image in shop.load(data)] == ["docker.io/library/one:1", "docker.io/library/two:1"]


def test_an_id_is_no_path(shop: Shop) -> None:
    for image_id in ("sha256:../../etc/passwd", "", "sha256:" + "a" * 64):
        with pytest.raises(NotFound):
            shop.store.config(image_id)


# Bad input


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


# Crashes


LOADER = """
import sys
from pathlib import Path
from engine.images.store import ImageStore
store = ImageStore(Path(sys.argv[1]))
print("open", flush=True)
store.load(sys.stdin.buffer, lambda message: print(message, flush=True))
"""


def _start_loading(root: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", LOADER, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.mark.parametrize("moment", ["receiving", "unpacking"])
def test_kill_in_the_middle_of_a_load(moment: str, shop: Shop) -> None:
    many = archives.files({f"{number}": b"x" * 3000 for number in range(20_000)})
    data = archives.docker_archive(["app:1"], [BASE, many])
    with _start_loading(shop.root) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"open\n"
        if moment == "receiving":
            process.stdin.write(data[: len(data) // 2])
            process.stdin.flush()
            while not list((shop.root / "tmp").glob("*/*")):
                time.sleep(0.01)
        else:
            process.stdin.write(data)
            process.stdin.close()
            while b"Loading layer" not in process.stdout.readline():
                pass
        ImageStore(shop.root)  # does not take away what a living process works on
        assert list((shop.root / "tmp").iterdir())
        process.send_signal(signal.SIGKILL)
    assert list((shop.root / "tmp").iterdir())
    store = ImageStore(shop.root)
    assert not list((shop.root / "tmp").iterdir())
    assert store.image_ids() == []
    [image] = store.load(io.BytesIO(data), shop.messages.append)
    assert store.image(image.image_id).size == 20_000 * 3000 + 8


def test_a_layer_without_a_record_is_made_anew(shop: Shop) -> None:
    """A crash after the layer was moved into place and before the record was written."""
    [chain] = chain_ids([archives.digest(BASE)])
    (shop.root / "layers" / chain / "half").mkdir(parents=True)
    [image] = shop.load(archives.docker_archive(["app:1"], [BASE]))
    assert not Path(shop.store.layer_dirs(image.image_id)[0], "half").exists()


def test_two_processes_load_the_same(shop: Shop) -> None:
    data = archives.docker_archive(["app:1"], [BASE, TOP])
    loaders = [_start_loading(shop.root) for _ in range(2)]
    for loader in loaders:
        assert loader.stdin
        loader.stdin.write(data)
        loader.stdin.close()
    for loader in loaders:
        assert loader.stdout
        loader.stdout.read()
        loader.stdout.close()
        assert loader.wait() == 0
    assert len(shop.store.image_ids()) == 1
