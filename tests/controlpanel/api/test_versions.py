"""Versions in paths, the headers of negotiation, unknown paths, and who may ask."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from controlpanel.rest import versions


@pytest.mark.parametrize("path", ["/_ping", "/v1.24/_ping", "/v1.51/_ping", "/v1.41/_ping"])
def test_ping_answers_with_and_without_a_version(api: Client, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.content) == (200, b"OK")
    assert answer["Api-Version"] == "1.51"
    assert answer["Ostype"] == "linux"
    assert answer["Docker-Experimental"] == "false"
    assert answer["Server"] == f"Muelle/{versions.MUELLE} (linux)"
    assert answer["Builder-Version"] == "1"
    assert answer["Swarm"] == "inactive"


def test_head_ping_has_no_body(api: Client) -> None:
    answer = api.head("/_ping")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1.52/info", "client version 1.52 is too new. Maximum supported API version is 1.51"),
        ("/v2.0/info", "client version 2.0 is too new. Maximum supported API version is 1.51"),
        (
            "/v1.9/info",
            (
                "client version 1.9 is too old. Minimum supported API version is 1.24, "
                "please upgrade your client to a newer version"
            ),
        ),
    ],
)
def test_a_version_that_is_not_served_is_refused(api: Client, path: str, message: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.json()) == (400, {"message": message})
    assert answer["Content-Type"] == "application/json"
    assert answer["Api-Version"] == "1.51"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nosuch"), ("POST", "/info"), ("GET", "/containers/create"), ("GET", "/v1.x/info"), ("PUT", "/version")],
)
def test_unknown_paths_and_methods_are_pages_not_found(api: Client, method: str, path: str) -> None:
    answer = api.generic(method, path)
    assert (answer.status_code, answer.content) == (404, b'{"message":"page not found"}\n')
    assert answer["Content-Type"] == "application/json"


def test_unknown_pages_ask_for_no_csrf_header() -> None:
    assert Client(enforce_csrf_checks=True).post("/containers/%0a/start").status_code == 404


@pytest.mark.parametrize("path", ["/info", "/containers/json", "/nosuch"])
def test_options_are_fine_everywhere(api: Client, path: str) -> None:
    assert api.options(path).status_code == 200


def test_nobody_sees_nothing(node: object) -> None:
    assert Client().get("/containers/json").status_code == 401


def test_a_viewer_looks_and_does_not_touch(node: object, workers: object) -> None:
    client = Client()
    client.force_login(User.objects.create_user("vera", password="correct horse battery"))
    assert client.get("/containers/json").status_code == 200
    assert client.post("/containers/x/start").status_code == 403


def test_every_accept_header_is_fine(api: Client) -> None:
    assert api.get("/version", headers={"accept": "text/html"}).status_code == 200
