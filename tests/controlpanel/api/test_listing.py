"""``GET /containers/json``: entries, order, filters, and how many queries it takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from controlpanel.objects.models import Container, Endpoint, ImageReference, Network
from controlpanel.objects.states import Status
from tests.controlpanel.api.conftest import IMAGE_ID, MakeContainer, Workers

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries


def names(api: Client, **parameters: Any) -> list[str]:
    if isinstance(parameters.get("filters"), dict):
        parameters["filters"] = json.dumps(parameters["filters"])
    answer = api.get(f"/containers/json?{urlencode(parameters)}")
    assert answer.status_code == 200, answer.content
    return [entry["Names"][0] for entry in answer.json()]


def test_only_running_ones_unless_all(api: Client, make: MakeContainer, running: Container) -> None:
    make(1)
    make(2, status=Status.EXITED)
    make(3, status=Status.STARTING, previous_status=Status.CREATED)
    assert names(api) == ["/c7"]
    assert names(api, all="1") == ["/c7", "/c3", "/c2", "/c1"]
    assert names(api, limit=2) == ["/c7", "/c3"]
    assert names(api, limit=-1) == ["/c7"]


def test_newest_first_whatever_the_fraction(api: Client, make: MakeContainer) -> None:
    make(1, created_at="2026-01-01T00:00:01.5Z")
    make(2, created_at="2026-01-01T00:00:01.55Z")
    make(3, created_at="2026-01-01T00:00:01Z")
    assert names(api, all=1) == ["/c2", "/c1", "/c3"]


def test_an_entry_has_dockers_keys(api: Client, make: MakeContainer) -> None:
    make(1, body={"Cmd": ["sh", "-c", "sleep 1"], "ExposedPorts": {"80": {}}}, status=Status.EXITED, exit_code=2)
    [entry] = api.get("/containers/json?all=1").json()
    assert set(entry) == {
        "Id", "Names", "Image", "ImageID", "Command", "Created", "Ports", "Labels", "State", "Status", "HostConfig",
        "NetworkSettings", "Mounts",
    }  # fmt: skip
    assert entry["Command"] == "sh -c 'sleep 1'"
    assert entry["Image"] == "busybox"
    assert entry["Labels"] == {"from": "image"}
    assert entry["HostConfig"] == {"NetworkMode": "bridge"}
    assert entry["Ports"] == []
    assert list(entry["NetworkSettings"]["Networks"]) == ["bridge"]


def test_the_image_is_its_id_once_the_tag_has_moved(api: Client, make: MakeContainer) -> None:
    make(1)
    ImageReference.objects.all().delete()
    [entry] = api.get("/containers/json?all=1").json()
    assert entry["Image"] == entry["ImageID"] == IMAGE_ID


def test_sizes_come_from_the_worker(api: Client, make: MakeContainer, workers: Workers) -> None:
    container = make(1)
    workers.answers["containers.sizes"] = {container.id: {"rw": 5, "rootfs": 1005}}
    [entry] = api.get("/containers/json?all=1&size=1").json()
    assert (entry["SizeRw"], entry["SizeRootFs"]) == (5, 1005)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": ["exited"]}, ["/c2"]),
        ({"status": {"created": True, "exited": True}}, ["/c2", "/c1"]),
        ({"status": {"created": True, "exited": False}}, ["/c1"]),
        ({"exited": ["3"], "status": ["exited", "created"]}, ["/c2"]),
        ({"exited": ["3"]}, []),
        ({"name": ["^/c2$"], "status": ["exited"]}, ["/c2"]),
        ({"name": ["7"]}, ["/c7"]),
        ({"name": ["("]}, []),
        ({"id": ["^0+7"]}, ["/c7"]),
        ({"label": ["from"]}, ["/c7"]),
        ({"label": ["from=image", "own=1"], "status": ["exited"]}, ["/c2"]),
        ({"label": ["from=image", "own=2"], "status": ["exited"]}, []),
        ({"ancestor": ["busybox"]}, ["/c7"]),
        ({"ancestor": ["nosuch"]}, []),
        ({"before": ["c2"], "status": ["created", "exited"]}, ["/c1"]),
        ({"since": ["c1"]}, ["/c7"]),
        ({"network": ["bridge"]}, ["/c7"]),
        ({"network": ["host"]}, []),
        ({"health": ["none"]}, ["/c7"]),
        ({"health": ["healthy"]}, []),
        ({"is-task": ["true"]}, []),
        ({"publish": ["8080"]}, ["/c7"]),
        ({"publish": ["8000-9000/tcp"]}, ["/c7"]),
        ({"publish": ["80"]}, []),
        ({"publish": ["8080/udp"]}, []),
        ({"expose": ["80"]}, ["/c7"]),
        ({"expose": ["80"], "publish": ["1"]}, ["/c7"]),
        ({"expose": ["80"], "status": ["exited"]}, []),
        ({"volume": ["/data"]}, []),
    ],
)
def test_filters(
    api: Client, make: MakeContainer, running: Container, filters: dict[str, Any], expected: list[str]
) -> None:
    make(1)
    body = {"Labels": {"own": "1"}, "ExposedPorts": {"80/tcp": {}}}
    port = {"protocol": "tcp", "host_ip": "", "host_port": 8080, "container_port": 80}
    bridge = Network.objects.get(name="bridge")
    Endpoint.objects.create(network=bridge, container=running, endpoint_id="e", ip="172.18.0.2", ports=[port])
    make(2, body=body, status=Status.EXITED, exit_code=3, finished_at="2026-01-01T00:00:09Z")
    assert names(api, filters=filters) == expected


@pytest.mark.parametrize(
    "filters",
    [
        '{"foo":["x"]}', '{"status":["x"]}', '{"exited":["x"]}', "{", "[]", '{"name":3}', '{"name":[1]}',
        '{"is-task":["maybe"]}', '{"publish":["x"]}', '{"name":["(a+)+b"]}',
    ],
)  # fmt: skip
def test_bad_filters_are_refused(api: Client, filters: str) -> None:
    assert api.get(f"/containers/json?{urlencode({'filters': filters})}").status_code == 400


def test_references_in_filters_must_exist(api: Client) -> None:
    query = urlencode({"filters": '{"before":["nosuch"]}'})
    assert api.get(f"/containers/json?{query}").status_code == 404


def test_the_number_of_queries_does_not_grow(
    api: Client, make: MakeContainer, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        make(number, status=Status.RUNNING, started_at="2026-01-01T00:00:08Z")
    with django_assert_num_queries(4):
        assert len(api.get("/containers/json").json()) == 20
