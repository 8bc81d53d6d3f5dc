"""Images, volumes, networks, exec sessions, the system; and what is not built."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from controlpanel.api import networks, unbuilt
from controlpanel.objects.models import Container, Exec, Image, ImageReference, Node, Volume, VolumeUse
from controlpanel.objects.states import Status
from engine.containers import wire
from engine.containers.config import complete_exec
from engine.errors import NotFound, Unavailable
from tests.controlpanel.api.conftest import IMAGE_ID, NODE, MakeContainer, Workers

if TYPE_CHECKING:
    from django.test import Client


def post(api: Client, path: str, body: Any = None) -> Any:
    return api.post(path, json.dumps(body) if body is not None else "", content_type="application/json")


def test_images_are_listed_with_familiar_names(api: Client, image: Image) -> None:
    [entry] = api.get("/images/json").json()
    assert (entry["Id"], entry["RepoTags"], entry["RepoDigests"]) == (IMAGE_ID, ["busybox:latest"], [])
    assert (entry["Created"], entry["Size"], entry["Containers"]) == (1767323045, 1000, -1)
    assert "VirtualSize" not in entry
    assert api.get("/v1.43/images/json").json()[0]["VirtualSize"] == 1000
    assert api.get("/v1.42/images/json").json()[0]["RepoDigests"] == ["<none>@<none>"]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"reference": ["busy*"]}, 1),
        ({"reference": ["busybox:l*"]}, 1),
        ({"reference": ["alpine"]}, 0),
        ({"dangling": ["true"]}, 0),
        ({"dangling": {"false": True}}, 1),
        ({"label": ["from=image"]}, 1),
        ({"label": ["from=else"]}, 0),
        ({"before": ["busybox"]}, 0),
        ({"since": ["busybox"]}, 0),
        ({"until": ["2027-01-01T00:00:00Z"]}, 1),
        ({"until": ["1"]}, 0),
    ],
)
def test_image_filters(api: Client, image: Image, filters: dict[str, Any], count: int) -> None:
    assert len(api.get("/images/json", {"filters": json.dumps(filters)}).json()) == count


@pytest.mark.parametrize("filters", ['{"nosuch":["x"]}', '{"dangling":["x"]}', '{"until":["x"]}'])
def test_bad_image_filters(api: Client, image: Image, filters: str) -> None:
    assert api.get("/images/json", {"filters": filters}).status_code == 400


def test_image_names_may_hold_slashes_and_colons(api: Client, image: Image) -> None:
    ImageReference.objects.create(node_id=NODE, project_id="default", image=image, name="127.0.0.1:5000/a/b:1")
    shown = api.get("/images/127.0.0.1:5000/a/b:1/json").json()
    assert shown["RepoTags"] == ["127.0.0.1:5000/a/b:1", "busybox:latest"]


def test_image_inspect_for_old_and_new_clients(api: Client, image: Image) -> None:
    new, old = api.get("/images/busybox/json").json(), api.get("/v1.44/images/busybox/json").json()
    assert new["RootFS"]["Layers"] == ["sha256:" + "cd" * 32]
    assert "ContainerConfig" not in new
    assert old["ContainerConfig"] == {"Volumes": None}
    assert old["Config"]["AttachStdin"] is False


def test_image_history(api: Client, image: Image, workers: Workers) -> None:
    workers.answers["images.layer_sizes"] = {"l1": 1000}
    [entry] = api.get("/images/busybox/history").json()
    assert entry == {
        "Id": IMAGE_ID,
        "Created": 1767323045,
        "CreatedBy": "ADD",
        "Tags": ["busybox:latest"],
        "Size": 1000,
        "Comment": "",
    }


def test_missing_images(api: Client, node: Node) -> None:
    answer = api.get("/images/nosuch/json")
    assert (answer.status_code, answer.json()["message"]) == (404, "No such image: nosuch:latest")
    assert api.get("/images/No%20Such/json").status_code == 400


def test_tag_passes_the_whole_name(api: Client, image: Image, workers: Workers) -> None:
    workers.answers["images.tag"] = None
    assert api.post("/images/busybox/tag?repo=local/x&tag=1").status_code == 201
    assert workers.calls == [("images.tag", {"image": image.pk, "name": "docker.io/local/x:1"})]
    assert api.post("/images/busybox/tag?repo=UPPER").status_code == 400


def test_remove_image(api: Client, image: Image, workers: Workers) -> None:
    workers.answers["images.remove"] = [{"Untagged": "busybox:latest"}]
    assert api.delete("/images/busybox?force=1&noprune=1").json() == [{"Untagged": "busybox:latest"}]
    named = {"image": image.pk, "name": "docker.io/library/busybox:latest", "force": True, "prune": False}
    assert workers.calls.pop() == ("images.remove", named)
    for identity in (image.image_id, image.short_id):
        api.delete(f"/images/{identity}")
        assert workers.calls.pop()[1]["name"] is None


def test_prune_of_images_names_those_that_fit(api: Client, image: Image, workers: Workers) -> None:
    loose = Image.objects.create(
        node_id=NODE, project_id="default", image_id="sha256:" + "cd" * 32, config={}, created="2026-01-02T03:04:05Z"
    )
    workers.answers["images.prune"] = {"deleted": [], "reclaimed": 7, "records": [{"Deleted": loose.image_id}]}
    answer = api.post("/images/prune").json()
    assert answer == {"ImagesDeleted": [{"Deleted": loose.image_id}], "SpaceReclaimed": 7}
    api.post('/images/prune?filters={"dangling":["false"]}')
    api.post('/images/prune?filters={"dangling":["false"],"label":["from=image"]}')
    api.post('/images/prune?filters={"dangling":["false"],"until":["2026-01-01"]}')
    chosen = [sorted(arguments["images"]) for _, arguments in workers.calls]
    assert chosen == [[loose.pk], sorted([image.pk, loose.pk]), [image.pk], []]
    assert [arguments["dangling"] for _, arguments in workers.calls] == [True, False, False, False]
    assert api.post('/images/prune?filters={"until":["1h","2h"]}').status_code == 400


def test_volumes(api: Client, make: MakeContainer) -> None:
    used = Volume.objects.create(
        node_id=NODE, project_id="default", name="used", created_at="2026-01-01T00:00:00Z", labels={"a": "b"}
    )
    Volume.objects.create(node_id=NODE, project_id="default", name="free", created_at="2026-01-01T00:00:00Z")
    VolumeUse.objects.create(volume=used, container=make(1))
    VolumeUse.objects.create(volume=used, container=make(2))

    def names(filters: str) -> list[str]:
        return [each["Name"] for each in api.get("/volumes", {"filters": filters}).json()["Volumes"]]

    assert names("") == ["free", "used"]
    assert names('{"dangling":["true"]}') == ["free"]
    assert names('{"dangling":["false"]}') == ["used"]
    assert names('{"label":["a"]}') == ["used"]
    assert names('{"name":["ree"]}') == ["free"]
    assert api.get("/volumes/used").json()["Labels"] == {"a": "b"}
    missing = api.get("/volumes/nosuch")
    assert (missing.status_code, missing.json()["message"]) == (404, "get nosuch: no such volume")


def test_create_volume(api: Client, node: Node, workers: Workers) -> None:
    Volume.objects.create(node_id=NODE, project_id="default", name="data", created_at="2026-01-01T00:00:00Z")
    workers.answers["volumes.create"] = "data"
    answer = post(api, "/volumes/create", {"name": "data", "Labels": None})
    assert (answer.status_code, answer.json()["Name"]) == (201, "data")
    arguments = {"project": "default", "name": "data", "driver": "local", "options": {}, "labels": {}}
    assert workers.calls == [("volumes.create", arguments)]
    assert post(api, "/volumes/create", {"Name": "a b"}).status_code == 400
    assert post(api, "/volumes/create", []).status_code == 400


def test_volume_prune_of_old_clients_takes_all(api: Client, make: MakeContainer, workers: Workers) -> None:
    columns = {"node_id": NODE, "project_id": "default", "created_at": "2026-01-01T00:00:00Z"}
    named = Volume.objects.create(name="named", **columns)
    anonymous = Volume.objects.create(name="ab" * 32, anonymous=True, **columns)
    used = Volume.objects.create(name="used", anonymous=True, **columns)
    VolumeUse.objects.create(volume=used, container=make(1))
    workers.answers["volumes.prune"] = {"deleted": ["named"], "reclaimed": 3}
    assert api.post("/v1.41/volumes/prune").json() == {"VolumesDeleted": ["named"], "SpaceReclaimed": 3}
    api.post("/volumes/prune")
    chosen = [sorted(arguments["volumes"]) for _, arguments in workers.calls]
    assert chosen == [sorted([named.pk, anonymous.pk]), [anonymous.pk]]


def test_the_three_networks(api: Client, node: Node) -> None:
    assert {each["Name"] for each in api.get("/networks").json()} == {"bridge", "host", "none"}
    assert api.get("/networks/").status_code == 200
    assert api.get("/networks/bridge").json()["Options"]["com.docker.network.bridge.default_bridge"] == "true"
    assert [each["Name"] for each in api.get("/networks", {"filters": '{"name":["^host$"]}'}).json()] == ["host"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("DELETE", "/networks/bridge", None, 403, "bridge is a pre-defined network and cannot be removed"),
        ("GET", "/networks/nosuch", None, 404, "network nosuch not found"),
        (
            "POST",
            "/networks/create",
            {"Name": "host"},
            403,
            "operation is not permitted on predefined host network ",
        ),
        (
            "POST",
            "/networks/create",
            {"Name": "mine"},
            501,
            networks.NOT_BUILT,
        ),
        (
            "POST",
            "/networks/bridge/connect",
            {"Container": "c7"},
            403,
            "endpoint with name c7 already exists in network bridge",
        ),
        (
            "POST",
            "/networks/none/connect",
            {"Container": "c7"},
            501,
            "muelle does not connect containers to networks after their creation yet",
        ),
        ("POST", "/build", None, 501, unbuilt.BUILD),
        ("POST", "/build/cancel?id=x", None, 501, unbuilt.BUILD),
        ("POST", "/commit", None, 501, "muelle does not commit containers to images yet"),
        ("POST", "/swarm/init", {}, 501, "muelle does not form swarms yet"),
        ("POST", "/swarm/leave", None, 503, "This node is not part of a swarm"),
        ("GET", "/plugins/x/json", None, 404, 'plugin "x" not found'),
        (
            "PUT",
            "/volumes/x",
            {},
            503,
            "volume update only valid for cluster volumes, but swarm is unavailable",
        ),
        ("POST", "/images/x/push", None, 501, unbuilt.REGISTRY),
    ],
)  # fmt: skip
def test_refusals(
    api: Client, running: Container, method: str, path: str, body: Any, status: int, message: str
) -> None:
    data = json.dumps(body) if body is not None else ""
    answer = api.generic(method, path, data, content_type="application/json")
    assert (answer.status_code, answer.json()) == (status, {"message": message})


@pytest.mark.parametrize("path", ["/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs", "/nodes/x"])
def test_no_swarm(api: Client, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 503
    assert answer.json()["message"].startswith("This node is not a swarm manager.")


def test_no_plugins(api: Client) -> None:
    assert api.get("/plugins").json() == []


def test_exec_is_created_and_inspected(api: Client, running: Container, published: list[Any]) -> None:
    answer = post(api, f"/containers/{running.name}/exec", {"Cmd": ["sh", "-c", "x"], "AttachStdout": True})
    assert answer.status_code == 201
    shown = api.get(f"/exec/{answer.json()['Id']}/json").json()
    assert shown["ProcessConfig"] == {"tty": False, "entrypoint": "sh", "arguments": ["-c", "x"], "privileged": False}
    assert (shown["Running"], shown["ExitCode"], shown["ContainerID"]) == (False, None, running.id)
    [event] = published
    assert event.action == "exec_create: sh -c x"


def test_exec_refusals(api: Client, running: Container, make: MakeContainer) -> None:
    def message(reference: str, body: Any) -> tuple[int, str]:
        answer = post(api, f"/containers/{reference}/exec", body)
        return answer.status_code, answer.json()["message"]

    make(8, status=Status.PAUSED)
    stopped = make(9)
    command = {"Cmd": ["true"]}
    assert message("c7", {"Cmd": []}) == (400, "No exec command specified")
    assert message("c8", command) == (409, "Container c8 is paused, unpause the container before exec")
    assert message("c9", command) == (409, f"container {stopped.id} is not running")
    assert message("nosuch", command) == (404, "No such container: nosuch")
    missing = api.get("/exec/abc/json")
    assert (missing.status_code, missing.json()["message"]) == (404, "No such exec instance: abc")


@pytest.mark.parametrize("gone", [Unavailable("no shim"), NotFound("never seen")])
def test_an_exec_whose_shim_is_gone_has_ended(
    api: Client, running: Container, monkeypatch: pytest.MonkeyPatch, gone: Exception
) -> None:
    def call(*arguments: Any) -> Any:
        raise gone

    monkeypatch.setattr(wire, "call", call)
    wanted = {"Tty": False, "Cmd": ["true"], "Privileged": False, "User": "", "DetachKeys": ""}
    wanted |= {"AttachStdin": False, "AttachStdout": True, "AttachStderr": True}
    row = Exec.objects.create(
        id="e" * 64,
        container=running,
        config=complete_exec(dict(wanted)),
        started=True,
        running=True,
        exit_code=137,
        created=1,
    )
    shown = api.get(f"/exec/{row.id}/json").json()
    assert (shown["Running"], shown["ExitCode"]) == (False, 137)


def test_info_counts_containers(api: Client, make: MakeContainer, workers: Workers) -> None:
    workers.answers["system.warnings"] = []
    make(1)
    make(2, status=Status.RUNNING)
    make(3, status=Status.PAUSED)
    make(4, status=Status.EXITED)
    shown = api.get("/info").json()
    counts = [shown[key] for key in ("Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped")]
    assert counts == [4, 1, 1, 2]
    assert shown["Images"] == 1
    assert shown["Swarm"]["LocalNodeState"] == "inactive"


def test_version_details_are_texts(api: Client) -> None:
    shown = api.get("/version").json()
    assert (shown["ApiVersion"], shown["MinAPIVersion"], shown["Platform"]) == ("1.51", "1.24", {"Name": "Muelle"})
    assert all(isinstance(value, str) for value in shown["Components"][0]["Details"].values())


def test_disk_usage(api: Client, make: MakeContainer, workers: Workers) -> None:
    container = make(1)
    Volume.objects.create(node_id=NODE, project_id="default", name="v", created_at="2026-01-01T00:00:00Z")
    workers.answers = {
        "images.layer_sizes": {"l1": 1000},
        "containers.sizes": {container.id: {"rw": 5, "rootfs": 1005}},
        "volumes.usage": [7],
    }
    shown = api.get("/system/df").json()
    assert shown["LayersSize"] == 1000
    assert (shown["Images"][0]["Containers"], shown["Images"][0]["SharedSize"]) == (1, 0)
    assert shown["Containers"][0]["SizeRw"] == 5
    assert shown["Volumes"][0]["UsageData"] == {"RefCount": 0, "Size": 7}
    assert api.get("/system/df?type=volume").json()["Images"] == []
    assert api.get("/system/df?type=nosuch").status_code == 400


def test_info_shows_warnings(api: Client, workers: Workers) -> None:
    workers.answers["system.warnings"] = ["WARNING: the chain FORWARD drops"]
    assert api.get("/info").json()["Warnings"] == ["WARNING: the chain FORWARD drops"]
    workers.answers["system.warnings"] = Unavailable("the broker does not answer")
    answer = api.get("/info")
    assert answer.status_code == 200
    assert answer.json()["Warnings"] == ["WARNING: the broker does not answer"]
