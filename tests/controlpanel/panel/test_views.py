"""The page's files and lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

from controlpanel.access.scope import Scope
from controlpanel.objects.states import Status
from controlpanel.panel import listing
from tests.controlpanel.panel.conftest import IMAGE_ID, MakeContainer, publish_port

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries, Settings

    from controlpanel.objects.models import Container, Image


@pytest.fixture
def built(settings: Settings, tmp_path: Path) -> Path:
    """A built page of two files."""
    settings.CHECKOUT = tmp_path
    assets = tmp_path / "frontend" / "web" / "dist" / "assets"
    assets.mkdir(parents=True)
    (assets / "index-abc.js").write_text("start()")
    (assets.parent / "index.html").write_text("<!doctype html>")
    (tmp_path / "secret").write_text("secret")
    return assets.parent


def test_the_page_is_served_to_everybody_with_its_policy(built: Path) -> None:
    answer = Client().get("/")
    assert (answer.status_code, answer.content) == (200, b"<!doctype html>")
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert answer["Cache-Control"] == "no-cache"


def test_files_with_a_digest_in_their_name_are_kept_for_ever(built: Path) -> None:
    answer = Client().get("/static/assets/index-abc.js", headers={"Accept-Encoding": "gzip"})
    assert (answer["Content-Type"], answer["Content-Encoding"]) == ("text/javascript; charset=utf-8", "gzip")
    assert "immutable" in answer["Cache-Control"]


def test_a_browser_that_has_the_file_gets_nothing_again(built: Path) -> None:
    etag = Client().get("/")["ETag"]
    again = Client().get("/", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["nothing.js", "../../../secret", "..%2f..%2f..%2fsecret", "assets", "", "/etc/passwd"]
)
def test_nothing_else_is_served(built: Path, name: str) -> None:
    assert Client().get(f"/static/{name}").status_code == 404


def test_a_new_build_is_noticed(built: Path) -> None:
    Client().get("/")
    (built / "index.html").write_text("<!doctype html><title>new</title>")
    assert b"new" in Client().get("/").content


def test_a_page_that_is_not_built_says_so(settings: Settings, tmp_path: Path) -> None:
    settings.CHECKOUT = tmp_path
    answer = Client().get("/")
    assert answer.status_code == 503
    assert b"./muelle up" in answer.content


@pytest.mark.parametrize("path", ["/panel/containers", "/panel/images", "/panel/about", "/panel/containers/x/log"])
def test_lists_need_a_user(db: None, path: str) -> None:
    assert Client().get(path).status_code == 401


def test_a_running_container_as_a_row(viewer: User, running: Container, http: Client) -> None:
    publish_port(running)
    http.force_login(viewer)
    (row,) = http.get("/panel/containers").json()["containers"]
    assert row["status"] == "running"
    assert row["command"] == "sh"
    assert row["address"] == "172.17.0.2"
    assert row["ports"] == [{"host_ip": "0.0.0.0", "host_port": 8080, "container_port": 80, "protocol": "tcp"}]
    assert (row["memory_limit"], row["restart_policy"], row["finished"]) == (64, "always", "")


def test_a_stopped_container_shows_what_it_exposes(make_container: MakeContainer) -> None:
    make_container("web", config={"ExposedPorts": {"53/udp": {}, "80/tcp": {}, "odd": {}}})
    (row,) = listing.containers(Scope.of_engine())
    assert [(port["container_port"], port["protocol"], port["host_port"]) for port in row["ports"]] == [
        (53, "udp", 0),
        (80, "tcp", 0),
    ]


def test_a_container_being_started_shows_the_state_before(make_container: MakeContainer) -> None:
    made = make_container("web", status=Status.EXITED)
    made.move((Status.EXITED,), Status.STARTING)
    assert listing.containers(Scope.of_engine())[0]["status"] == "exited"
    assert listing.counts(Scope.of_engine()) == {"exited": 1}


def test_the_newest_container_comes_first(make_container: MakeContainer) -> None:
    for name, second in (("oldest", "01"), ("newest", "01.9"), ("middle", "01.25")):
        make_container(name, created_at=f"2026-01-01T00:00:{second}Z")
    assert [row["name"] for row in listing.containers(Scope.of_engine())] == ["newest", "middle", "oldest"]


def test_a_name_that_means_another_image_by_now_is_not_shown(running: Container, image: Image) -> None:
    assert listing.containers(Scope.of_engine())[0]["image"] == "busybox"
    image.references.all().delete()
    assert listing.containers(Scope.of_engine())[0]["image"] == IMAGE_ID


def test_a_container_without_a_log_says_so(viewer: User, make_container: MakeContainer, http: Client) -> None:
    made = make_container("quiet", host_config={"LogConfig": {"Type": "none", "Config": {}}})
    http.force_login(viewer)
    answer = http.get(f"/panel/containers/{made.id}/log")
    assert (answer.status_code, answer.json()) == (
        501, {"message": "configured logging driver does not support reading"},
    )  # fmt: skip


def test_the_number_of_queries_does_not_grow(
    make_container: MakeContainer, image: Image, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        publish_port(make_container(f"c{number}"), f"172.17.0.{number + 2}")
    with django_assert_num_queries(3):
        assert len(listing.containers(Scope.of_engine())) == 12
    with django_assert_num_queries(3):
        (row,) = listing.images(Scope.of_engine())
    assert len(row["containers"]) == 12


def test_an_image_as_a_row(viewer: User, image: Image, running: Container, http: Client) -> None:
    http.force_login(viewer)
    (row,) = http.get("/panel/images").json()["images"]
    assert row == {
        "id": IMAGE_ID,
        "tags": ["busybox:latest"],
        "created": "2026-01-01T00:00:00Z",
        "size": 2048,
        "layers": 2,
        "containers": ["web"],
    }


def test_about_counts(viewer: User, image: Image, running: Container, http: Client) -> None:
    http.force_login(viewer)
    about = http.get("/panel/about").json()
    assert (about["containers"], about["images"]) == ({"running": 1}, 1)
