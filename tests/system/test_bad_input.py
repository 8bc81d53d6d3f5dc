"""What no good client sends: each gets Docker's status and message, and nothing half-made stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.docker import Docker
from tests.system import http
from tests.system.waiting import api_version

if TYPE_CHECKING:
    from tests.support.installation import Installation

API = "/v1.41"
CREATE = f"{API}/containers/create"


@pytest.fixture
def host(installation: Installation, docker: Docker) -> str:
    return installation.docker_host


@pytest.fixture
def bad_request(docker: Docker) -> tuple[int, ...]:
    """Docker's older daemons answer 500 for much that is the client's fault."""
    return (400,) if api_version(docker) >= (1, 44) else (400, 500)


@pytest.mark.parametrize("body", [b"{", b'{"Image": ', b"[]", b'"text"', b"\xff\xfe", b'{"Image": 5}', b'{"Cmd": {}}'])
def test_malformed_json(host: str, body: bytes, bad_request: tuple[int, ...]) -> None:
    answer = http.call(host, "POST", CREATE, body)
    assert answer.status in bad_request
    assert answer.message


def test_no_body(host: str, bad_request: tuple[int, ...]) -> None:
    assert http.call(host, "POST", CREATE, b"").status in bad_request


def test_wrong_content_type(host: str) -> None:
    answer = http.call(host, "POST", CREATE, b"{}", Content_Type="text/plain")
    assert answer.status == 400
    assert "text/plain" in answer.message


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", f"{API}/nonsense", 404, "page not found"),
        ("POST", f"{API}/containers/json", 404, "page not found"),
        ("GET", f"{API}/containers/nobody/json", 404, "No such container: nobody"),
        ("POST", f"{API}/containers/nobody/start", 404, "No such container: nobody"),
        ("DELETE", f"{API}/containers/nobody", 404, "No such container: nobody"),
        ("GET", f"{API}/images/nothing:none/json", 404, "No such image: nothing:none"),
        ("GET", f"{API}/volumes/nothing", 404, "nothing: no such volume"),
        ("GET", f"{API}/networks/nothing", 404, "network nothing not found"),
        ("GET", f"{API}/exec/nothing/json", 404, "nothing"),
        ("GET", f"{API}/containers/json?filters=%7B", 400, ""),
        ("GET", "/v9.99/containers/json", 400, "client version 9.99 is too new"),
        ("DELETE", f"{API}/networks/bridge", 403, "bridge is a pre-defined network and cannot be removed"),
    ],
)
def test_what_is_not_there(
    host: str, method: str, path: str, status: int, text: str, bad_request: tuple[int, ...]
) -> None:
    answer = http.call(host, method, path)
    assert answer.status in (bad_request if status == 400 else (status,)), answer
    assert text in answer.message


def test_a_version_that_is_too_old(host: str) -> None:
    answer = http.call(host, "GET", "/v1.2/containers/json")
    assert answer.status == 400
    assert b"client version 1.2 is too old" in answer.body


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 400, ""),
        ({"Image": "nothing:none"}, 404, "No such image: nothing:none"),
        ({"Image": "IMAGE", "HostConfig": {"Memory": 1}}, 400, "inimum memory limit"),
        ({"Image": "IMAGE", "HostConfig": {"Binds": ["/tmp:relative"]}}, 400, "mount path must be absolute"),
        ({"Image": "IMAGE", "HostConfig": {"NetworkMode": "host", "Links": ["a:b"]}}, 400, ""),
        ({"Image": "IMAGE", "HostConfig": {"CapAdd": ["FLY"]}}, 400, "CAP_FLY"),
        ({"Image": "IMAGE", "HostConfig": {"RestartPolicy": {"Name": "sometimes"}}}, 400, "invalid restart policy"),
        ({"Image": "IMAGE", "HostConfig": {"LogConfig": {"Type": "nonsense"}}}, 400, "nonsense"),
        ({"Image": "IMAGE", "HostConfig": {"PortBindings": {"x/tcp": [{}]}}}, 400, ""),
        ({"Image": "IMAGE", "HostConfig": {"SecurityOpt": ["nonsense=1"]}}, 400, ""),
        ({"Image": "IMAGE", "WorkingDir": "relative"}, 400, "working directory 'relative' is invalid"),
        ({"Image": "IMAGE", "StopSignal": "NONSENSE"}, 400, "nvalid signal: NONSENSE"),
        ({"Image": "IMAGE", "Env": ["=x"]}, 400, "invalid environment variable: =x"),
    ],
)
def test_containers_that_cannot_be(
    host: str, image: str, docker: Docker, body: dict[str, Any], status: int, text: str, bad_request: tuple[int, ...]
) -> None:
    before = docker("ps", "-aq")
    wanted = {key: image if value == "IMAGE" else value for key, value in body.items()}
    answer = http.call(host, "POST", CREATE, wanted)
    assert answer.status in (bad_request if status == 400 else (status,)), answer
    assert text in answer.message
    assert docker("ps", "-aq") == before


@pytest.mark.parametrize("name", ["a", "-bad", "a b", "../x", "a/b", "x" * 300 + "/"])
def test_bad_names(host: str, image: str, name: str) -> None:
    answer = http.call(host, "POST", f"{CREATE}?name={name.replace(' ', '%20').replace('/', '%2F')}", {"Image": image})
    assert answer.status == 400
    assert "Invalid container name" in answer.message
    assert "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed" in answer.message


@pytest.mark.parametrize("signal", ["NONSENSE", "99", "-1"])
def test_bad_signals(host: str, idle: str, signal: str, bad_request: tuple[int, ...]) -> None:
    answer = http.call(host, "POST", f"{API}/containers/{idle}/kill?signal={signal}")
    assert answer.status in bad_request
    assert answer.message


def test_a_json_body_without_end(host: str, bad_request: tuple[int, ...]) -> None:
    with http.connect(host) as connection:
        head = f"POST {CREATE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode() + b'{"Image":')
        connection.shutdown(1)
        received = connection.recv(4096)
    assert not received or int(received.split()[1]) in bad_request


def test_gigantic_headers(host: str) -> None:
    try:
        answer = http.send(host, b"GET /_ping HTTP/1.1\r\nHost: x\r\nX-Big: " + b"a" * (4 << 20) + b"\r\n\r\n")
    except (ConnectionError, OSError):
        return
    assert answer.status in (400, 431)


@pytest.mark.parametrize(
    "data", [b"\r\n\r\n", b"nonsense\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\0" * 100]
)
def test_no_http_at_all(host: str, data: bytes) -> None:
    with http.connect(host) as connection:
        connection.sendall(data)
        connection.shutdown(1)
        received = connection.recv(4096)
    assert received == b"" or b" 400 " in received.splitlines()[0]
    assert http.call(host, "GET", "/_ping").body == b"OK"


def test_archives_that_are_none(host: str, sleeper: str) -> None:
    answer = http.call(
        host, "PUT", f"{API}/containers/{sleeper}/archive?path=/root", b"no tar", Content_Type="application/x-tar"
    )
    assert answer.status in (400, 500)
    assert http.call(host, "PUT", f"{API}/containers/{sleeper}/archive", b"").status == 400


def test_exec_without_a_command(host: str, idle: str) -> None:
    answer = http.call(host, "POST", f"{API}/containers/{idle}/exec", {"Cmd": []})
    assert (answer.status, answer.message) == (400, "No exec command specified")


def test_what_is_not_built_says_so(host: str, docker: Docker) -> None:
    answer = http.call(host, "POST", f"{API}/swarm/init", {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": "bogus"})
    assert answer.status >= 400
    assert answer.message


def test_ping(host: str, docker: Docker) -> None:
    answer = http.call(host, "GET", "/_ping")
    assert (answer.status, answer.body) == (200, b"OK")
    assert answer.headers["content-type"].startswith("text/plain")
    assert tuple(map(int, answer.headers["api-version"].split("."))) >= api_version(docker)
    assert answer.headers["ostype"] == "linux"
    assert http.call(host, "HEAD", "/_ping").status == 200


@pytest.mark.parametrize("archive", [b"abc", b"no tar " * 100])
def test_images_that_are_none(host: str, archive: bytes) -> None:
    """Docker's answer to a load has begun before it reads the archive; that to an import has not."""
    loaded = http.call(host, "POST", f"{API}/images/load", archive, Content_Type="application/x-tar")
    assert loaded.status == 200
    (line,) = loaded.body.splitlines()
    assert json.loads(line)["errorDetail"]["message"] == json.loads(line)["error"]
    imported = http.call(host, "POST", f"{API}/images/create?fromSrc=-", archive, Content_Type="application/x-tar")
    assert imported.status in {400, 500}
    assert imported.message
