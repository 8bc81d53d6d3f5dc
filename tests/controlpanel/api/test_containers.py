"""The container paths: what they ask of the workers, what they answer, and how they refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from controlpanel.objects.models import Container, Endpoint, Image, Network
from controlpanel.objects.states import Status
from engine.errors import Conflict, NotFound
from tests.controlpanel.api.conftest import MakeContainer, Workers

if TYPE_CHECKING:
    from django.test import Client


def post(api: Client, path: str, body: Any = None) -> Any:
    return api.post(path, json.dumps(body) if body is not None else "", content_type="application/json")


def test_create_passes_complete_objects_to_the_worker(api: Client, workers: Workers, image: object) -> None:
    workers.answers["containers.create"] = {"id": "f" * 64, "warnings": ["careful"]}
    body = {"Image": "busybox", "cmd": "true", "HostConfig": {"networkmode": "default"}}
    answer = post(api, "/containers/create?name=web", body)
    assert (answer.status_code, answer.json()) == (201, {"Id": "f" * 64, "Warnings": ["careful"]})
    [(operation, arguments)] = workers.calls
    assert operation == "containers.create"
    assert arguments["name"] == "web"
    assert arguments["image"] == Image.objects.get().pk
    assert arguments["project"] == "default"
    assert arguments["config"]["Cmd"] == ["true"]
    assert arguments["config"]["Env"] == ["PATH=/bin"]
    assert arguments["host_config"]["NetworkMode"] == "bridge"
    assert arguments["host_config"]["ShmSize"] == 64 * 1024**2


@pytest.mark.parametrize(
    ("query", "body", "status", "message"),
    [
        ("", {"Image": "nosuch"}, 404, "No such image: nosuch:latest"),
        ("", {}, 400, "config cannot be empty in order to create a container"),
        ("", {"HostConfig": {}}, 400, "config cannot be empty in order to create a container"),
        ("", {"Image": ""}, 400, "no command specified"),
        ("", {"Cmd": ["x"]}, 501, "muelle does not run containers without an image"),
        (
            "?name=-x",
            {"Image": "busybox"},
            400,
            "Invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
        ),
        ("", {"Image": "busybox", "HostConfig": {"NetworkMode": "nosuch"}}, 400, "network nosuch not found"),
        ("", {"Image": "busybox", "HostConfig": {"NetworkMode": "container:nosuch"}}, 400, "No such container: nosuch"),
        (
            "?platform=linux/arm64",
            {"Image": "busybox"},
            404,
            (
                "image with reference busybox was found but its platform (linux/amd64) does not match the specified "
                "platform (linux/arm64)"
            ),
        ),
        (
            "",
            {"Image": "busybox", "Tty": "yes"},
            400,
            "invalid JSON: json: cannot unmarshal string into Go struct field Config.Tty of type bool",
        ),
    ],
)
def test_create_refuses(
    api: Client, image: object, query: str, body: dict[str, Any], status: int, message: str
) -> None:
    answer = post(api, f"/containers/create{query}", body)
    assert (answer.status_code, answer.json()) == (status, {"message": message})


@pytest.mark.parametrize(
    ("data", "content_type", "start"),
    [
        ("{", "application/json", "invalid JSON: "),
        ("", "application/json", "invalid JSON: got EOF"),
        ("{} {}", "application/json", "invalid JSON: "),
        ("[" * 100_000, "application/json", "invalid JSON: "),
        ("\xff", "application/json", "invalid JSON: "),
        ("[]", "application/json", "config cannot be empty"),
        ("{}", "text/plain", "unsupported Content-Type header (text/plain): must be 'application/json'"),
    ],
)
def test_malformed_bodies_are_refused(api: Client, data: str, content_type: str, start: str) -> None:
    answer = api.post("/containers/create", data.encode("latin-1"), content_type=content_type)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(start)


def test_a_conflict_of_the_worker_is_the_answer(api: Client, workers: Workers, image: object) -> None:
    workers.answers["containers.create"] = Conflict("Conflict. The container name is in use")
    answer = post(api, "/containers/create", {"Image": "busybox"})
    assert (answer.status_code, answer.content) == (409, b'{"message":"Conflict. The container name is in use"}\n')
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize(("changed", "status"), [(True, 204), (False, 304)])
@pytest.mark.parametrize("verb", ["start", "stop"])
def test_already_so_is_not_modified(
    api: Client, make: MakeContainer, workers: Workers, verb: str, changed: bool, status: int
) -> None:
    make(name="web")
    workers.answers[f"containers.{verb}"] = {"changed": changed}
    answer = post(api, f"/containers/web/{verb}")
    assert (answer.status_code, answer.content) == (status, b"")


@pytest.mark.parametrize("reference", ["web", "/web", "7".zfill(64), "0" * 12])
def test_only_whole_ids_reach_the_worker(api: Client, make: MakeContainer, workers: Workers, reference: str) -> None:
    container = make(7, name="web")
    workers.answers["containers.start"] = {"changed": True}
    assert post(api, f"/containers/{reference}/start").status_code == 204
    assert workers.calls == [("containers.start", {"container_id": container.id})]


def test_what_is_not_there_reaches_no_worker(api: Client, workers: Workers) -> None:
    for verb in ("start", "stop", "kill", "pause", "unpause", "restart", "rename?name=new"):
        assert post(api, f"/containers/web/{verb}").status_code == 404
    assert api.delete("/containers/web?force=1").status_code == 404
    assert workers.calls == []


def test_start_refuses_a_host_configuration(api: Client) -> None:
    answer = post(api, "/containers/web/start", {"NetworkMode": "host"})
    assert answer.status_code == 400


def test_kill_names_the_container_when_the_signal_is_none(api: Client, make: MakeContainer) -> None:
    make(name="web")
    answer = api.post("/containers/web/kill?signal=FOO")
    assert (answer.status_code, answer.json()["message"]) == (400, "cannot kill container: web: invalid signal: FOO")


@pytest.mark.parametrize("query", ["h=&w=10", "h=-1&w=1", "h=1&w=99999999999", "w=1", "h=x&w=1"])
def test_resize_refuses_sizes_that_are_none(api: Client, running: Container, query: str) -> None:
    assert api.post(f"/containers/{running.id}/resize?{query}").status_code == 400


def test_resize_of_a_stopped_container(api: Client, make: MakeContainer) -> None:
    container = make()
    answer = api.post(f"/containers/{container.id}/resize?h=1&w=1")
    assert (answer.status_code, answer.json()["message"]) == (409, f"container {container.id} is not running")


def test_remove_passes_its_flags(api: Client, make: MakeContainer, workers: Workers) -> None:
    container = make(name="web")
    workers.answers["containers.remove"] = None
    assert api.delete("/containers/web?force=1&v=true").status_code == 204
    assert workers.calls == [("containers.remove", {"container_id": container.id, "force": True, "volumes": True})]


def test_errors_of_lookup(api: Client) -> None:
    answer = api.get("/containers/nosuch/json")
    assert (answer.status_code, answer.json()["message"]) == (404, "No such container: nosuch")


def test_update_passes_what_is_set(api: Client, make: MakeContainer, workers: Workers) -> None:
    make(name="web")
    workers.answers["containers.update"] = {"warnings": []}
    answer = post(api, "/containers/web/update", {"Memory": 64 * 1024**2, "RestartPolicy": {"Name": "always"}})
    assert (answer.status_code, answer.json()) == (200, {"Warnings": None})
    [(_, arguments)] = workers.calls
    assert arguments["resources"]["Memory"] == 64 * 1024**2
    assert arguments["restart_policy"] == {"Name": "always", "MaximumRetryCount": 0}


@pytest.mark.parametrize(("version", "asked"), [("1.39", None), ("1.40", 7)])
def test_old_clients_update_no_limit_of_processes(
    api: Client, make: MakeContainer, workers: Workers, version: str, asked: int | None
) -> None:
    make(name="web")
    workers.answers["containers.update"] = {"warnings": []}
    assert post(api, f"/v{version}/containers/web/update", {"PidsLimit": 7}).status_code == 200
    [(_, arguments)] = workers.calls
    assert arguments["resources"]["PidsLimit"] == asked


def test_annotations_are_listed_since_they_are_told_of(api: Client, make: MakeContainer) -> None:
    make(1, body={"HostConfig": {"Annotations": {"a": "b"}}})
    make(2)
    shown = {
        version: [row["HostConfig"].get("Annotations") for row in api.get(f"/v{version}/containers/json?all=1").json()]
        for version in ("1.45", "1.46")
    }
    assert shown == {"1.45": [None, None], "1.46": [None, {"a": "b"}]}


def test_inspect_shows_a_running_container(api: Client, running: Container) -> None:
    network = Network.objects.get(name="bridge")
    network.ipam = {
        "Driver": "default",
        "Options": None,
        "Config": [{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}],
    }
    network.save()
    port = {"protocol": "tcp", "host_ip": "", "host_port": 8080, "container_port": 80, "last": 0}
    Endpoint.objects.create(
        network=network, container=running, endpoint_id="e" * 64, ip="172.18.0.2", mac="02:42:ac:12:00:02", ports=[port]
    )
    shown = api.get(f"/containers/{running.name}/json").json()
    assert shown["Name"] == "/c7"
    assert (shown["Path"], shown["Args"]) == ("sh", [])
    assert shown["State"]["Running"] is True
    assert shown["State"]["Pid"] == 4711
    assert "Health" not in shown["State"]
    settings = shown["NetworkSettings"]
    assert settings["IPAddress"] == settings["Networks"]["bridge"]["IPAddress"] == "172.18.0.2"
    assert settings["IPPrefixLen"] == 16
    assert settings["Gateway"] == "172.18.0.1"
    assert settings["Ports"] == {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}
    assert "Healthcheck" not in shown["Config"]
    assert shown["HostConfig"]["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0}


def test_inspect_of_a_starting_container_shows_the_state_before(api: Client, make: MakeContainer) -> None:
    container = make(status=Status.STARTING, previous_status=Status.EXITED, exit_code=3)
    shown = api.get(f"/containers/{container.id}/json").json()
    assert (shown["State"]["Status"], shown["State"]["Running"]) == ("exited", False)


def test_worker_errors_keep_their_status(api: Client, make: MakeContainer, workers: Workers) -> None:
    make(name="web")
    workers.answers["containers.pause"] = NotFound("No such container: web")
    assert api.post("/containers/web/pause").status_code == 404
