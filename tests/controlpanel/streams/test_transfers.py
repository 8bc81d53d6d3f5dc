"""Archives in and out: bytes pass between client and worker without the web process holding them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import socket
from pathlib import Path

import docker
import docker.errors
import pytest
import requests

from engine.containers import wire
from engine.errors import NotFound
from tests.controlpanel.streams.conftest import Make, read_all
from tests.controlpanel.streams.service import Service
from tests.support.docker import Docker

pytestmark = pytest.mark.usefixtures("worker", "stored")

MEGABYTE = 1024 * 1024
# Images that the database has; what the worker makes of each, its double says.
STORED = ("busybox", "broken", "big", "gone")


@pytest.fixture(scope="module")
def stored(service: Service) -> None:
    for number, name in enumerate(STORED, 1):
        service.seed({"model": "Image", "id": number, "image_id": f"sha256:{number:064x}"})
        reference = {"model": "ImageReference", "image_id": number, "name": f"docker.io/library/{name}:latest"}
        service.seed(reference)


def test_a_path_that_is_written_otherwise_has_the_same_body(service: Service, make: Make) -> None:
    """Views are chosen by the decoded path; a body that was not kept for them would be an empty archive."""
    head = f"PUT /%63ontainers/{make()}/archive?path=/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
    with service.connect() as sock:
        sock.sendall(f"{head}Connection: close\r\n\r\nbody".encode())
        assert read_all(sock).startswith(b"HTTP/1.1 200 OK")


def test_the_page_has_no_version_on_the_socket_either(service: Service) -> None:
    for path in ("/v1.51/panel/session", "/v1.51/", "/panel/session"):
        with service.connect() as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert read_all(sock).startswith(b"HTTP/1.1 404 ")


def test_load_streams_the_body_and_the_progress(client: docker.APIClient) -> None:
    data = os.urandom(5 * MEGABYTE)
    (message,) = client.load_image(data)
    assert message["stream"] == f"Loaded {len(data)} bytes {hashlib.sha256(data).hexdigest()} quiet=False\n"


def test_the_docker_command_loads(cli: Docker, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(bytes(20 * MEGABYTE))
    output = cli("load", "-i", str(archive))
    assert f"Loaded {20 * MEGABYTE} bytes" in output
    assert "quiet=True" in output


@pytest.mark.parametrize(("archive", "text"), [(b"abc", "not an archive"), (b"abcd", "bad layer")])
def test_an_error_is_a_message_early_or_late(client: docker.APIClient, archive: bytes, text: str) -> None:
    *_, last = client.load_image(archive)
    assert last == {"errorDetail": {"message": text}, "error": text}


def test_a_worker_is_told_when_the_client_breaks_off(service: Service, client: docker.APIClient) -> None:
    """It must not take half an archive for a whole one: the next load shows that the worker is free again."""
    with service.connect() as sock:
        sock.sendall(b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
    assert "Loaded 5 bytes" in next(client.load_image(b"whole"))["stream"]


def test_import_applies_changes(cli: Docker, tmp_path: Path) -> None:
    archive = tmp_path / "root.tar"
    archive.write_bytes(b"12345")
    assert cli("import", "--change", 'CMD ["sh"]', str(archive), "mine:1") == "docker.io/library/mine:1 5 ['sh']"


def test_save_streams(client: docker.APIClient) -> None:
    assert sum(map(len, client.get_image("busybox"))) == 64 * MEGABYTE


def test_save_of_a_missing_image_is_a_404(client: docker.APIClient) -> None:
    with pytest.raises(docker.errors.NotFound, match="No such image: nosuch:latest"):
        next(client.get_image("nosuch"))


def test_an_image_that_goes_before_its_turn_is_a_404_too(client: docker.APIClient) -> None:
    with pytest.raises(docker.errors.NotFound, match="No such image"):
        next(client.get_image("gone"))


def test_save_that_fails_in_the_middle_is_cut(client: docker.APIClient) -> None:
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        list(client.get_image("broken"))


def test_a_client_that_leaves_stops_the_worker(service: Service, client: docker.APIClient) -> None:
    before = service.connections()
    for _ in range(6):
        with service.connect() as sock:
            sock.sendall(b"GET /images/get?names=big HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK")
    # More than the worker has threads: it would be stuck if it had not noticed.
    assert sum(map(len, client.get_image("busybox"))) == 64 * MEGABYTE
    assert service.connections() < before + 10


def test_archives_of_a_container(client: docker.APIClient, make: Make) -> None:
    container = make()
    stream, stat = client.get_archive(container, "/etc")
    assert b"".join(stream) == b"archive of /etc"
    assert stat["name"] == "etc"
    assert client.put_archive(container, "/tmp", io.BytesIO(b"tar"))
    assert b"".join(client.export(container)) == b"export"


def test_the_stat_header_alone(service: Service, make: Make) -> None:
    with service.connect() as sock:
        request = f"HEAD /v1.47/containers/{make()}/archive?path=/etc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        sock.sendall(request.encode())
        answer = sock.recv(10000)
    header = next(line for line in answer.split(b"\r\n") if line.lower().startswith(b"x-docker-container-path-stat:"))
    assert json.loads(base64.b64decode(header.partition(b":")[2]))["mode"] == 2147484141


def test_an_archive_that_is_refused(client: docker.APIClient, make: Make) -> None:
    container = make()
    with pytest.raises(docker.errors.APIError, match="marked read-only"):
        client.put_archive(container, "/ro", bytes(3 * MEGABYTE))


@pytest.mark.parametrize(("path", "status"), [("", 400), ("/nosuch", 404)])
def test_archives_that_are_not_there(client: docker.APIClient, make: Make, path: str, status: int) -> None:
    container = make()
    with pytest.raises(docker.errors.APIError) as error:
        client.get_archive(container, path)
    assert error.value.response.status_code == status


def test_pulling_is_not_built_and_says_so(client: docker.APIClient) -> None:
    with pytest.raises(docker.errors.APIError, match="pulling images from a registry is not built yet") as error:
        client.pull("busybox", tag="latest")
    assert error.value.response.status_code == 501


def test_a_wrong_ticket_gets_nothing(service: Service) -> None:
    with wire.connect(service.layout.stream_socket) as sock:
        wire.send(sock, {"ticket": "guessed"})
        message, fds = wire.receive(sock)
    assert not fds
    with pytest.raises(NotFound):
        wire.result(message)


def test_a_worker_that_sends_rubbish_is_dropped(service: Service) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.connect(str(service.layout.stream_socket))
        sock.send(b"rubbish")
        assert sock.recv(100) == b""
