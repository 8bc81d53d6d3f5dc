"""Images: load, save, import, tag, rmi, history, inspect, images."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import archives
from tests.support.archives import busybox_layer, docker_archive, files, layer, member, oci_archive
from tests.support.docker import Docker
from tests.system import http
from tests.system.waiting import inspect

if TYPE_CHECKING:
    from tests.support.installation import Installation

NAME = "muelle-system/made"


@pytest.fixture(autouse=True)
def made_images(installation: Installation) -> Iterator[None]:
    """Whatever a test calls NAME goes away after it."""
    yield
    docker = installation.docker()
    listed = [line.split() for line in docker("images", "--format", "{{.ID}} {{.Tag}}", NAME).splitlines()]
    if listed:
        docker.run("rmi", "-f", *(identity if tag == "<none>" else f"{NAME}:{tag}" for identity, tag in listed))


def two_layers() -> list[bytes]:
    return [busybox_layer(), files({"etc/motd": b"second layer\n"})]


@pytest.mark.parametrize(
    "pack",
    [
        lambda: docker_archive([f"{NAME}:1"], two_layers(), {"Cmd": ["cat", "/etc/motd"]}),
        lambda: gzip.compress(docker_archive([f"{NAME}:1"], two_layers(), {"Cmd": ["cat", "/etc/motd"]})),
        lambda: oci_archive(f"{NAME}:1", two_layers(), {"Cmd": ["cat", "/etc/motd"]}, docker_manifest=True),
    ],
    ids=["docker-archive", "gzip", "oci-and-docker"],
)
def test_load_and_run(docker: Docker, pack: Callable[[], bytes]) -> None:
    assert docker("load", stdin=pack()) == f"Loaded image: {NAME}:1"
    assert docker("run", "--rm", f"{NAME}:1") == "second layer"


def test_load_from_a_file(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(docker_archive([f"{NAME}:1", f"{NAME}:2"], [busybox_layer()]))
    lines = docker("load", "-i", str(tmp_path / "image.tar")).splitlines()
    assert lines == [f"Loaded image: {NAME}:1", f"Loaded image: {NAME}:2"]


def test_an_image_without_a_name(docker: Docker) -> None:
    output = docker("load", stdin=docker_archive([], [files({"unique": b"nameless"})]))
    identity = re.fullmatch(r"Loaded image ID: (sha256:\w{64})", output)
    assert identity is not None
    docker("rmi", identity[1])


def test_layers_hide_and_delete(docker: Docker) -> None:
    layers = [
        busybox_layer(),
        files({"data/kept": b"", "data/deleted": b"", "opaque/old": b""}),
        files({"data/.wh.deleted": b"", "opaque/.wh..wh..opq": b"", "opaque/new": b""}),
    ]
    docker("load", stdin=docker_archive([f"{NAME}:1"], layers))
    assert docker("run", "--rm", f"{NAME}:1", "ls", "/data", "/opaque").split() == ["/data:", "kept", "/opaque:", "new"]


def test_save_is_loadable_and_equal(docker: Docker, image: str) -> None:
    before = inspect(docker, image)["Id"]
    docker("tag", image, f"{NAME}:saved")
    data = docker.run("save", f"{NAME}:saved").stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        manifest = json.load(archive.extractfile("manifest.json") or io.BytesIO())
    assert manifest[0]["RepoTags"] == [f"{NAME}:saved"]
    docker("rmi", f"{NAME}:saved")
    docker("load", stdin=data)
    assert inspect(docker, f"{NAME}:saved")["Id"] == before


def test_save_of_nothing(docker: Docker) -> None:
    assert docker.run("save", "nowhere:none").returncode == 1


def test_import(docker: Docker) -> None:
    changes = ("-c", 'CMD ["cat", "/etc/passwd"]', "-c", "ENV A=1", "-m", "by hand")
    identity = docker("import", *changes, "-", f"{NAME}:flat", stdin=busybox_layer())
    assert re.fullmatch(r"sha256:\w{64}", identity)
    assert docker("run", "--rm", f"{NAME}:flat").startswith("root:x:0:0")
    found = inspect(docker, f"{NAME}:flat")
    assert (found["Config"]["Cmd"], "A=1" in found["Config"]["Env"]) == (["cat", "/etc/passwd"], True)


def test_tag_and_untag(docker: Docker, image: str) -> None:
    docker("tag", image, f"{NAME}:a")
    docker("tag", image, f"{NAME}:b")
    assert docker("images", "--format", "{{.Tag}}", NAME).split() in (["a", "b"], ["b", "a"])
    assert docker("rmi", f"{NAME}:a") == f"Untagged: {NAME}:a"
    assert docker("images", "-q", f"{NAME}:a") == ""
    assert docker("images", "-q", f"{NAME}:b") == docker("images", "-q", image)


def test_rmi_deletes_content(docker: Docker) -> None:
    docker("load", stdin=docker_archive([f"{NAME}:1"], [files({"only": b"here"})]))
    identity = inspect(docker, f"{NAME}:1")["Id"]
    lines = docker("rmi", f"{NAME}:1").splitlines()
    assert lines[0] == f"Untagged: {NAME}:1"
    assert f"Deleted: {identity}" in lines
    assert docker.run("inspect", identity).returncode == 1


def test_rmi_of_an_image_in_use(docker: Docker) -> None:
    docker("load", stdin=docker_archive([f"{NAME}:1"], [busybox_layer(), files({"used": b""})]))
    docker("create", "--name", "user", f"{NAME}:1", "true")
    result = docker.run("rmi", f"{NAME}:1")
    assert result.returncode == 1
    assert b"conflict: unable to remove repository reference" in result.stderr
    assert b"(must force) - container" in result.stderr
    docker("rm", "user")
    docker("rmi", f"{NAME}:1")


def test_rmi_of_nothing(docker: Docker) -> None:
    result = docker.run("rmi", "nowhere:none")
    assert (result.returncode, b"No such image: nowhere:none" in result.stderr) == (1, True)


def test_inspect(docker: Docker) -> None:
    settings = {
        "Env": ["PATH=/bin", "B=2"], "Cmd": ["sh"], "Entrypoint": ["/bin/busybox"], "WorkingDir": "/tmp",
        "User": "nobody", "Labels": {"l": "1"}, "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGINT",
    }  # fmt: skip
    layers = two_layers()
    docker("load", stdin=docker_archive([f"{NAME}:1"], layers, settings))
    found = inspect(docker, f"{NAME}:1")
    assert {key: found["Config"][key] for key in settings} == settings
    assert found["RootFS"] == {"Type": "layers", "Layers": [archives.digest(each) for each in layers]}
    assert (found["Os"], found["Architecture"], found["RepoTags"]) == ("linux", archives.ARCHITECTURE, [f"{NAME}:1"])
    assert found["Size"] > 1_000_000


def test_history(docker: Docker) -> None:
    docker("load", stdin=docker_archive([f"{NAME}:1"], two_layers()))
    lines = docker("history", "--no-trunc", "--format", "{{.CreatedBy}} {{.Size}}", f"{NAME}:1").splitlines()
    assert lines[0] == "layer 1 13B"
    assert lines[1].startswith("layer 0 ")


def test_images_formats_and_filters(docker: Docker, image: str) -> None:
    docker("tag", image, f"{NAME}:listed")
    identity = inspect(docker, image)["Id"]
    assert docker("images", "--no-trunc", "-q", f"{NAME}:listed") == identity
    line = docker("images", "--filter", f"reference={NAME}:l*", "--format", "{{.Repository}} {{.Tag}} {{.ID}}")
    assert line == f"{NAME} listed {identity.removeprefix('sha256:')[:12]}"
    assert docker("images", "-q", "--filter", "dangling=true", "--filter", f"reference={NAME}") == ""
    assert docker("images", "-q", "--filter", "label=nobody-has-this") == ""
    assert docker.run("images", "--filter", "nonsense=1").returncode == 1


def test_a_prefix_of_the_id_is_enough(docker: Docker, image: str) -> None:
    identity = inspect(docker, image)["Id"].removeprefix("sha256:")
    assert docker("run", "--rm", identity[:12], "echo", "found") == "found"


@pytest.mark.parametrize("name", ["lower/UPPER", "a//b", "-dash", "a:b:c", "bad tag:1"])
def test_bad_references(docker: Docker, image: str, name: str) -> None:
    result = docker.run("tag", "--", image, name)
    assert result.returncode != 0
    assert b"invalid reference format" in result.stderr


def manifest(config: str, layers: list[str]) -> bytes:
    """An archive of nothing but a manifest."""
    entry = {"Config": config, "RepoTags": [f"{NAME}:1"], "Layers": layers}
    return files({"manifest.json": json.dumps([entry]).encode()})


@pytest.mark.parametrize(
    "archive",
    [
        b"this is no archive",
        b"",
        docker_archive([f"{NAME}:1"], two_layers())[: 700 * 1024],
        files({"manifest.json": b"{"}),
        manifest("c.json", ["l.tar"]),
        manifest("../../../../../../etc/passwd", []),
        docker_archive([f"{NAME}:1"], [b"no tar at all" * 100]),
    ],
    ids=["text", "empty", "truncated", "bad-json", "missing-layer", "outside", "bad-layer"],
)
def test_bad_archives_leave_nothing(docker: Docker, archive: bytes) -> None:
    result = docker.run("load", stdin=archive)
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr
    assert docker("images", "-q", NAME) == ""


@pytest.mark.parametrize(
    "members",
    [
        [(member("../outside"), b"x")],
        [(member("/../outside"), b"x")],
        [(member("link", kind=tarfile.SYMTYPE, linkname="/tmp"), b""), (member("link/outside-marker"), b"x")],
        [(member("hard", kind=tarfile.LNKTYPE, linkname="../../../../../../etc/passwd"), b"")],
        [(member("up", kind=tarfile.SYMTYPE, linkname=".."), b""), (member("up/up/up/up/outside-marker"), b"x")],
    ],
    ids=["dots", "absolute-dots", "symlink", "hard-link", "up-link"],
)
def test_layers_cannot_write_outside(docker: Docker, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    docker.run("load", stdin=docker_archive([f"{NAME}:1"], [busybox_layer(), layer(members)]))
    assert not Path("/tmp/outside-marker").exists()
    assert not Path("/outside-marker").exists()


def test_wrong_digests_are_refused(docker: Docker) -> None:
    good = oci_archive(f"{NAME}:1", [files({"a": b"content"})])
    docker.run("load", stdin=good.replace(b"content", b"CONTENT"))
    assert docker("images", "-q", NAME) == ""


def test_image_prune(docker: Docker) -> None:
    for text in (b"first", b"second"):
        docker("load", stdin=docker_archive([f"{NAME}:1"], [files({"a": text})], {"Labels": {"prune-me": "1"}}))
    assert len(docker("images", "-q", "--filter", "dangling=true", "--filter", "label=prune-me").split()) == 1
    docker("image", "prune", "-f", "--filter", "label=prune-me")
    assert docker("images", "-q", "--filter", "dangling=true", "--filter", "label=prune-me") == ""
    assert docker("images", "-q", f"{NAME}:1") != ""


def _with_configuration(**change: object) -> bytes:
    raw = json.dumps({**archives.config([]), **change}).encode()
    manifest = [{"Config": "c.json", "RepoTags": [f"{NAME}:1"], "Layers": []}]
    return files({"c.json": raw, "manifest.json": json.dumps(manifest).encode()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": {"Labels": {"a": 1}}}, "invalid image JSON: config.Labels.a: not a string"),
        ({"config": "x"}, "invalid image JSON: config: not an object"),
        ({"config": {"WorkingDir": "/" * (1 << 20)}}, "config.WorkingDir: longer than 4095 characters"),
        ({"config": {"User": "9" * 10_000}}, "config.User: longer than 512 characters"),
        ({"history": ["x"]}, "history.0: not an object"),
        ({"config": {"Env": ["A=\0"]}}, "a string holds a NUL character"),
    ],
    ids=["labels", "config", "directory", "user", "history", "nul"],
)
def test_a_configuration_with_wrong_fields_hurts_nobody(
    docker: Docker, change: dict[str, object], message: str
) -> None:
    """Such an image loaded once, and from then on ``docker images`` failed for everybody."""
    assert message in docker.run("load", stdin=_with_configuration(**change)).stderr.decode()
    assert NAME not in docker("images")


def test_a_user_of_many_digits(docker: Docker) -> None:
    docker("load", stdin=docker_archive([f"{NAME}:1"], [busybox_layer()], {"User": "9" * 500}))
    result = docker.run("run", "--rm", f"{NAME}:1", "true")
    assert result.returncode == 125
    assert f"unable to find user {'9' * 64}…: no matching entries in passwd file" in result.stderr.decode()


def test_a_layer_of_many_gzip_members(docker: Docker) -> None:
    """bgzip and eStargz write such."""

    def compress(data: bytes) -> bytes:
        return b"".join(gzip.compress(data[start : start + 512], 1) for start in range(0, len(data), 512))

    docker("load", stdin=oci_archive(f"{NAME}:1", two_layers(), {"Cmd": ["cat", "/etc/motd"]}, compress=compress))
    assert docker("run", "--rm", f"{NAME}:1") == "second layer"


def test_tags_that_look_like_an_id(docker: Docker, image: str) -> None:
    message = "refusing to create an ambiguous tag using digest algorithm as name"
    assert message in docker.run("tag", image, "sha256:foo").stderr.decode()
    assert message in docker.run("import", "-", "sha256:foo", stdin=busybox_layer()).stderr.decode()
    assert message in docker.run("load", stdin=docker_archive(["sha256:foo"], [busybox_layer()])).stderr.decode()
    assert "sha256" not in docker("images", "--format", "{{.Repository}}").splitlines()


def test_import_for_a_platform(docker: Docker, installation: Installation) -> None:
    query = f"fromSrc=-&repo={NAME}&tag=arm&platform=linux/arm64/v8"
    answer = http.call(installation.docker_host, "POST", f"/v1.41/images/create?{query}", busybox_layer())
    assert answer.status == 200
    found = json.loads(docker("image", "inspect", f"{NAME}:arm"))[0]
    assert (found["Os"], found["Architecture"], found["Variant"]) == ("linux", "arm64", "v8")
    refused = docker.run("create", "--pull", "never", "--platform", "linux/s390x", f"{NAME}:arm", "true")
    assert "does not match the specified platform (linux/s390x)" in refused.stderr.decode()
    bad = http.call(installation.docker_host, "POST", "/v1.41/images/create?fromSrc=-&platform=no-such", b"")
    assert (bad.status, bad.message) == (400, '"no-such": unknown operating system or architecture: invalid argument')


def test_a_star_in_a_filter_stops_at_a_slash(docker: Docker, image: str) -> None:
    docker("tag", image, f"{NAME}:1")
    assert NAME not in docker("images", "--filter", "reference=*", "--format", "{{.Repository}}").splitlines()
    assert NAME in docker("images", "--filter", "reference=*/ma?e", "--format", "{{.Repository}}").splitlines()
    assert "syntax error in pattern" in docker.run("images", "--filter", "reference=a[").stderr.decode()
