"""Images over the API: what their configurations say, for whom they are, and which names fit."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from hypothesis import given

from controlpanel.api import images_rendering
from controlpanel.objects.models import Image, ImageReference
from engine.errors import InvalidArgument
from engine.images import configuration
from tests.controlpanel.api.conftest import IMAGE_ID, NODE, Workers
from tests.support.configurations import DOCUMENTS

if TYPE_CHECKING:
    from django.test import Client

ARM = json.dumps({"os": "linux", "architecture": "arm64"})
HOST = json.dumps({"os": "linux", "architecture": "amd64"})
MISMATCH = (
    "image with reference busybox was found but its platform (linux/amd64) does not match the specified platform "
    "(linux/arm64)"
)


@given(DOCUMENTS)
def test_whatever_is_let_in_can_be_shown(document: dict[str, Any]) -> None:
    try:
        config = configuration.parse(json.dumps(document).encode())
    except InvalidArgument:
        return
    image = Image(pk=1, image_id=IMAGE_ID, config=config, layers=["l1", "l2"], created=config.get("created", ""))
    image._prefetched_objects_cache = {"references": []}  # type: ignore[attr-defined]
    for version in ((1, 24), (1, 44), (1, 51)):
        assert json.dumps(images_rendering.inspect(image, version))
        assert json.dumps(images_rendering.for_version(images_rendering.summary(image), version))
    assert json.dumps(images_rendering.history(image, {"l1": 5}))


def test_images_of_an_earlier_version_lose_what_is_wrong(api: Client, image: Image, workers: Workers) -> None:
    """Labels that are numbers made the list of images fail for everybody."""
    right = image.config["rootfs"]
    image.config = {"config": {"Labels": {"a": 1}, "User": "u"}, "history": 7, "created": 5, "rootfs": right}
    image.created = "yesterday"
    image.save()
    importlib.import_module("controlpanel.objects.migrations.0006_image_configurations").salvage(apps, None)
    workers.answers["images.layer_sizes"] = {}
    [shown] = api.get("/images/json").json()
    assert (shown["Labels"], shown["Created"]) == (None, 0)
    assert api.get("/images/busybox/json").json()["Config"] == {"User": "u"}
    assert len(api.get("/images/busybox/history").json()) == 1


@pytest.mark.parametrize("path", ["json", "history"])
def test_an_image_for_another_platform(api: Client, image: Image, workers: Workers, path: str) -> None:
    workers.answers["images.layer_sizes"] = {}
    answer = api.get(f"/images/busybox/{path}", {"platform": ARM})
    assert (answer.status_code, answer.json()["message"]) == (404, MISMATCH)
    assert api.get(f"/images/busybox/{path}", {"platform": HOST}).status_code == 200
    assert api.get(f"/images/busybox/{path}", {"platform": "linux/amd64"}).status_code == 400
    assert api.get(f"/v1.47/images/busybox/{path}", {"platform": ARM}).status_code == 200


def test_a_container_for_another_platform(api: Client, image: Image, workers: Workers) -> None:
    def create(platform: str) -> tuple[int, str]:
        answer = api.post(
            f"/containers/create?platform={platform}", json.dumps({"Image": "busybox"}), content_type="application/json"
        )
        return answer.status_code, answer.json().get("message", "")

    workers.answers["containers.create"] = {"id": "0" * 64, "warnings": []}
    assert create("linux/arm64") == (404, MISMATCH)
    assert create("nonsense") == (400, '"nonsense": unknown operating system or architecture: invalid argument')
    assert create("linux/x86_64")[0] == 201


def test_save_for_another_platform(api: Client, image: Image) -> None:
    answer = api.get("/images/busybox/get", {"platform": ARM})
    assert answer.status_code == 404
    assert answer.json()["message"] == "no suitable export target found for platform linux/arm64"


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [
        ("*", ["busybox:latest"]),
        ("*/*", ["me/app:1"]),
        ("me*", []),
        ("*:latest", ["busybox:latest"]),
        ("b[a-z]sybo?", ["busybox:latest"]),
        ("me/app", ["me/app:1"]),
    ],
)
def test_patterns_of_names(api: Client, image: Image, pattern: str, shown: list[str]) -> None:
    ImageReference.objects.create(node_id=NODE, project_id=image.project_id, image=image, name="docker.io/me/app:1")
    listed = api.get("/images/json", {"filters": json.dumps({"reference": [pattern]})}).json()
    assert [name for each in listed for name in each["RepoTags"]] == shown


def test_a_malformed_pattern(api: Client, image: Image) -> None:
    answer = api.get("/images/json", {"filters": json.dumps({"reference": ["a["]})})
    assert (answer.status_code, answer.json()["message"]) == (400, "syntax error in pattern")


@pytest.mark.parametrize("query", ["repo=sha256&tag=foo", "repo=sha256", "repo=library/sha256&tag=1"])
def test_a_tag_that_looks_like_an_id(api: Client, image: Image, query: str) -> None:
    answer = api.post(f"/images/busybox/tag?{query}")
    assert answer.status_code == 400
    assert answer.json()["message"] == "refusing to create an ambiguous tag using digest algorithm as name"
