"""The image store: what real programs write goes in and comes out."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from engine.errors import NotFound
from engine.images import platforms
from engine.images.layers import chain_ids
from engine.images.platforms import Platform
from engine.images.store import ImageStore, SavedImage
from tests.engine.images.shop import BASE, NAME, TOP, Shop
from tests.support import archives
from tests.support.archives import layer, member, zstd

pytestmark = pytest.mark.kernel


def _bgzip(data: bytes) -> bytes:
    return b"".join(gzip.compress(data[start : start + 7]) for start in range(0, len(data), 7))


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "docker save 20.10": lambda: archives.docker_archive(["app:1"], [BASE, TOP]),
    "docker save 25": lambda: archives.oci_archive("docker.io/library/app:1", [BASE, TOP], docker_manifest=True),
    "oci layout": lambda: archives.oci_archive("app:1", [BASE, TOP]),
    "oci layout, gzip layers": lambda: archives.oci_archive("app:1", [BASE, TOP], compress=gzip.compress),
    "oci layout, zstd layers": lambda: archives.oci_archive("app:1", [BASE, TOP], compress=zstd.compress),
    "oci layout, layers of many gzip members": lambda: archives.oci_archive("app:1", [BASE, TOP], compress=_bgzip),
    "gzip outside": lambda: gzip.compress(archives.docker_archive(["app:1"], [BASE, TOP])),
    "bzip2 outside": lambda: bz2.compress(archives.docker_archive(["app:1"], [BASE, TOP])),
    "xz outside": lambda: lzma.compress(archives.docker_archive(["app:1"], [BASE, TOP])),
    "zstd outside": lambda: zstd.compress(archives.docker_archive(["app:1"], [BASE, TOP])),
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


def test_one_name_for_each_item_is_one_image(shop: Shop) -> None:
    raw = json.dumps(archives.config([BASE])).encode()
    manifest = [{"Config": "./c.json", "RepoTags": [f"app:{tag}"], "Layers": ["l"]} for tag in (1, 2)]
    members = {"c.json": raw, "l": BASE, "manifest.json": json.dumps(manifest).encode()}
    [image] = shop.load(archives.files(members))
    assert image.references == ("docker.io/library/app:1", "docker.io/library/app:2")


def test_nulls_are_missing_and_unknown_fields_stay(shop: Shop) -> None:
    """Go's decoder takes null for any field, and names in any case."""
    nulls = dict.fromkeys(("Labels", "Env", "Cmd", "Volumes", "ExposedPorts", "Healthcheck", "User", "WorkingDir"))
    config = {
        **archives.config([BASE]),
        "config": {**nulls, "entrypoint": "sh", "Labels": {"a": None}, "Mine": {"deep": [1, None]}},
        "created": None,
        "history": None,
        "author": None,
        "moby.buildkit.buildinfo.v1": "e30=",
    }
    raw = json.dumps(config).encode()
    manifest = [{"Config": "c.json", "RepoTags": None, "Layers": ["l"]}]
    [image] = shop.load(archives.files({"c.json": raw, "l": BASE, "manifest.json": json.dumps(manifest).encode()}))
    assert image.image_id == archives.digest(raw)
    assert image.config == {
        "architecture": archives.ARCHITECTURE,
        "os": "linux",
        "rootfs": config["rootfs"],
        "config": {"Entrypoint": ["sh"], "Labels": {"a": ""}, "Mine": {"deep": [1, None]}},
        "moby.buildkit.buildinfo.v1": "e30=",
    }


def test_platforms(shop: Shop) -> None:
    arm = Platform("linux", "arm", "v7")
    image = shop.store.import_(io.BytesIO(BASE), {}, shop.messages.append, platform=arm)
    assert platforms.of(image.config) == arm
    own = platforms.of(shop.store.import_(io.BytesIO(BASE), {}, shop.messages.append).config)
    assert own == platforms.HOST
    data = shop.save(SavedImage(image.image_id))
    assert [each.image_id for each in shop.store.load(io.BytesIO(data), print, arm)] == [image.image_id]
    with pytest.raises(NotFound, match="archive holds no image for the platform linux/s390x"):
        shop.store.load(io.BytesIO(data), print, Platform("linux", "s390x"))


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
    [(partial(gzip.compress, mtime=0), "+gzip"), (zstd.compress, "+zstd"), (lzma.compress, "")],
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
